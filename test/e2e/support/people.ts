import type { Page } from '@playwright/test';
import { expect } from './fixtures.ts';
import type { Keycloak } from './keycloak.ts';
import type { Mail, Server } from './server.ts';

export interface Person {
  name: string;
  email: string;
  password: string;
}

/** What a screen is asked once it stands, for instance whether everybody can use it. */
export type Inspect = (page: Page, screen: string) => Promise<void>;

const nobody: Inspect = async () => undefined;

export function person(name: string): Person {
  return {
    name,
    email: `${name.toLowerCase().replace(' ', '.')}@example.org`,
    password: `correct horse ${name.toLowerCase()}`,
  };
}

/** Goes the whole way from a visitor to a person signed in: sign-up at the provider, confirmation by mail, sign-in. */
export async function signUp(
  page: Page,
  server: Server,
  who: Person,
  inspect: Inspect = nobody,
): Promise<void> {
  await page.goto('/');
  await page.getByRole('banner').getByRole('link', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Welcome back' })).toBeVisible();
  await inspect(page, 'sign in');
  await page.getByRole('link', { name: 'Create an account' }).click();
  await inspect(page, 'sign up');
  await createAccount(page, server, who, inspect);
  await signedInAfter(page, who);
}

/** Goes from the provider's sign-up over the mail's link back to where one came from. */
export async function createAccount(
  page: Page,
  server: Server,
  who: Person,
  inspect: Inspect = nobody,
): Promise<void> {
  if (server.keycloak) await signUpThere(page, server.keycloak, who, inspect);
  else await signUpHere(page, server, who, inspect);
}

async function signUpHere(page: Page, server: Server, who: Person, inspect: Inspect): Promise<void> {
  await page.getByLabel('Name').fill(who.name);
  await page.getByLabel('Email address').fill(who.email);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('heading', { name: 'Check your mail' })).toBeVisible();
  await inspect(page, 'check your mail');
  await page.goto(linkIn(await mailTo(server, who, /confirm/i)));
  await expect(page.getByRole('heading', { name: 'Confirm your email address' })).toBeVisible();
  await inspect(page, 'confirm the address');
  const password = page.getByLabel('Password');
  if (await password.isVisible()) await password.fill(who.password);
  await page.getByRole('button', { name: 'Confirm and continue' }).click();
}

// Keycloak asks for the password behind the link of its mail, so that nobody
// chooses one for an address of somebody else.
async function signUpThere(page: Page, keycloak: Keycloak, who: Person, inspect: Inspect): Promise<void> {
  const [firstName = '', lastName = ''] = who.name.split(' ');
  await page.getByLabel('Email address').fill(who.email);
  await page.getByLabel('First name').fill(firstName);
  await page.getByLabel('Last name').fill(lastName);
  await page.getByRole('button', { name: 'Create an account' }).click();
  await expect(page.getByRole('heading', { name: 'Check your mail' })).toBeVisible();
  await inspect(page, 'check your mail');
  await expect.poll(() => keycloak.letters(who.email).length, `a mail of Keycloak to ${who.email}`).toBe(1);
  await page.goto(linkIn(keycloak.letters(who.email)[0]));
  await expect(page.getByRole('heading', { name: 'Choose a password' })).toBeVisible();
  await inspect(page, 'choose a password');
  await page.getByLabel('New password').fill(who.password);
  await page.getByLabel('Password, once more').fill(who.password);
  await page.getByRole('button', { name: 'Go on' }).click();
}

// Confirming in the browser in which one signed up signs in at once;
// elsewhere the provider asks for the password once more.
async function signedInAfter(page: Page, who: Person): Promise<void> {
  const account = page.getByRole('button', { name: /^Account/ });
  const signIn = page.getByRole('link', { name: 'Sign in' });
  await expect(account.or(signIn).first()).toBeVisible();
  if (await account.isVisible()) return;
  await signIn.first().click();
  if (await page.getByRole('heading', { name: 'Welcome back' }).isVisible()) await fillSignIn(page, who);
  await expect(account).toBeVisible();
}

/** Signs a person in who has an account, at whichever provider, and comes back to the path. */
export async function signIn(page: Page, who: Pick<Person, 'email' | 'password'>, path = '/'): Promise<void> {
  await page.goto(`/auth/login?return_to=${encodeURIComponent(path)}`);
  await fillSignIn(page, who);
  await page.waitForURL(path);
  await expect(page.getByRole('button', { name: /^Account/ })).toBeVisible();
}

async function fillSignIn(page: Page, who: Pick<Person, 'email' | 'password'>): Promise<void> {
  await page.getByLabel('Email address').fill(who.email);
  // Keycloak has a button beside it that shows the password.
  await page.getByLabel('Password', { exact: true }).fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
}

/** Comes back to a page from another tab, as its browser tells it. */
export async function returnTo(page: Page): Promise<void> {
  await page.bringToFront();
  // A browser without windows never hid it.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })));
}

/** Waits for a mail in the development mailbox. */
export async function mailTo(server: Server, who: Pick<Person, 'email'>, subject: RegExp): Promise<Mail> {
  let found: Mail | undefined;
  await expect
    .poll(
      async () => {
        const mails = await server.mails(who.email);
        found = mails.find((mail) => subject.test(mail.subject));
        return found ? 'there' : mails.map((mail) => mail.subject);
      },
      { message: `a mail to ${who.email} about ${subject}` },
    )
    .toBe('there');
  return found as Mail;
}

/** The first link in a mail. */
export function linkIn(mail: { subject: string; text: string } | undefined): string {
  const link = /https?:\/\/\S+/.exec(mail?.text ?? '')?.[0];
  if (!link) throw new Error(`no link in the mail "${mail?.subject}":\n${mail?.text}`);
  return link;
}
