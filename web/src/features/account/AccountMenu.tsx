import { t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { CalendarCog, CircleUser, LogOut, Mail, Monitor, Moon, SunMedium, Ticket } from 'lucide-react';
import { runs, useSignOut } from '@/api/me';
import type { Me } from '@/api/types';
import { setTheme, type Theme, useTheme } from '@/app/theme';
import { Avatar, initialsOf } from '@/ui/Avatar';
import { IconButton } from '@/ui/Button';
import { Menu, MenuChoice, MenuItem, MenuLink, MenuSeparator } from '@/ui/Menu';
import { toast } from '@/ui/toast';

/** Who one is, light or dark, and leaving. Visitors get the theme alone. */
export function AccountMenu({ me }: { me: Me | null }) {
  const theme = useTheme();
  const signOut = useSignOut();
  const themes: { value: Theme; label: string; icon: React.ReactNode }[] = [
    { value: 'system', label: t`Like the system`, icon: <Monitor /> },
    { value: 'light', label: t`Light`, icon: <SunMedium /> },
    { value: 'dark', label: t`Dark`, icon: <Moon /> },
  ];
  return (
    <Menu
      label={me ? t`Account` : t`Appearance`}
      trigger={
        <IconButton label={me ? t`Account ${initialsOf(me.name)}` : t`Appearance`}>
          {me ? <Avatar name={me.name} seed={me.id} /> : <SunMedium aria-hidden="true" className="size-5" />}
        </IconButton>
      }
    >
      {me ? (
        <>
          <div className="px-2.5 pt-2 pb-2.5">
            <p className="truncate text-sm font-semibold">{me.name}</p>
            <p className="truncate text-xs text-muted">{me.email}</p>
          </div>
          <MenuSeparator />
          <MenuLink icon={<Ticket />} render={(props) => <Link to="/bookings" {...props} />}>
            {t`My bookings`}
          </MenuLink>
          <MenuLink icon={<CalendarCog />} render={(props) => <Link to="/manage" {...props} />}>
            {runs(me).length > 0 ? t`Organize` : t`Create your organization`}
          </MenuLink>
          <MenuLink icon={<CircleUser />} render={(props) => <Link to="/profile/{-$section}" {...props} />}>
            {t`Your profile`}
          </MenuLink>
          <MenuLink icon={<Mail />} render={(props) => <Link to="/invites" {...props} />}>
            {t`Invitations`}
          </MenuLink>
          <MenuSeparator />
        </>
      ) : null}
      <MenuChoice label={t`Appearance`} value={theme} onChange={setTheme} options={themes} />
      {me ? (
        <>
          <MenuSeparator />
          <MenuItem
            icon={<LogOut />}
            onSelect={() =>
              signOut().catch(() =>
                toast('bad', t`You are still signed in`, t`We couldn't reach the server.`),
              )
            }
          >
            {t`Sign out`}
          </MenuItem>
        </>
      ) : null}
    </Menu>
  );
}
