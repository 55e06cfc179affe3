import { between, centreOf, type Point, type Rect, type Size } from './geometry';
import { SEAT_PITCH } from './venue';
import type { View } from './view';
import * as views from './view';

/** How long a view takes to glide to another, in milliseconds. */
export const GLIDE_MS = 260;
/** The distance of seats (CSS pixels) at which seats that are shown to the person are easy to press. */
export const COMFORTABLE_PITCH_PX = 34;
/** Seats of context left on each side of seats that are shown. */
const CONTEXT_SEATS = 3;
/** Space kept around a seat that is brought into view, in CSS pixels. */
const REVEAL_SPACE_PX = 48;

/**
 * Where one looks: the view and how it moves, without a screen to draw on or a clock. Times are milliseconds of any
 * one clock. Views always keep the hall in sight.
 */
export class Camera {
  private current: View = { scale: 1, x: 0, y: 0 };
  private glide: { readonly from: View; readonly to: View; readonly since: number } | undefined;
  private bounds: Rect | undefined;
  private screen: Size = { width: 1, height: 1 };

  /** With `jumps` views change at once, for people who prefer reduced motion. */
  constructor(private readonly jumps: boolean) {}

  get view(): View {
    return this.current;
  }

  /** Distance of neighbouring seats on the screen, in CSS pixels. */
  get pitch(): number {
    return this.current.scale * SEAT_PITCH;
  }

  get gliding(): boolean {
    return this.glide !== undefined;
  }

  /** Whether the whole hall is shown, or about to be. */
  get fitted(): boolean {
    return this.bounds !== undefined && views.sameView(this.target(), this.fittedView(this.bounds));
  }

  /** Another hall, shown whole. */
  enter(bounds: Rect): void {
    this.bounds = bounds;
    this.jump(this.fittedView(bounds));
  }

  /** Another size: a fitted view stays fitted, any other keeps what is in its middle. */
  resize(screen: Size): void {
    const { fitted, bounds, screen: before } = this;
    const middle = views.toWorld(this.current, { x: before.width / 2, y: before.height / 2 });
    this.screen = screen;
    if (!bounds) return;
    const { min, max } = views.zoomLimits(bounds, screen);
    this.jump(
      fitted
        ? this.fittedView(bounds)
        : views.centredView(middle, between(this.current.scale, min, max), screen),
    );
  }

  pan(dx: number, dy: number): void {
    this.jump(views.panned(this.current, dx, dy));
  }

  pinch(from: readonly [Point, Point], to: readonly [Point, Point]): void {
    if (this.bounds) this.jump(views.pinched(this.current, from, to, this.limits(this.bounds)));
  }

  /** Zooms at once, as a wheel does. Answers false, and does nothing, where there is nothing left to zoom. */
  zoom(at: Point, factor: number): boolean {
    if (!this.bounds) return false;
    const next = this.clamped(views.zoomedAt(this.current, at, factor, this.limits(this.bounds)));
    if (views.sameView(next, this.current)) return false;
    this.jump(next);
    return true;
  }

  /** Zooms with a glide, as a button does. */
  glideZoom(factor: number, now: number): void {
    const middle = { x: this.screen.width / 2, y: this.screen.height / 2 };
    if (this.bounds) {
      this.glideTo(views.zoomedAt(this.target(), middle, factor, this.limits(this.bounds)), now);
    }
  }

  /** Goes to where seats can be pressed, keeping a point of the screen in place. */
  approach(at: Point, now: number): void {
    if (!this.bounds) return;
    const factor = views.scaleForPitch(COMFORTABLE_PITCH_PX) / this.current.scale;
    this.glideTo(views.zoomedAt(this.current, at, factor, this.limits(this.bounds)), now);
  }

  /** Shows the whole hall. */
  fit(now: number): void {
    if (this.bounds) this.glideTo(this.fittedView(this.bounds), now);
  }

  /** Shows a part of the world as large as is comfortable. */
  showRect(rect: Rect, now: number): void {
    const context = 2 * CONTEXT_SEATS * SEAT_PITCH;
    const scale = Math.min(
      this.screen.width / (rect.width + context),
      this.screen.height / (rect.height + context),
      views.scaleForPitch(COMFORTABLE_PITCH_PX),
    );
    this.glideTo(views.centredView(centreOf(rect), scale, this.screen), now);
  }

  /** Brings a point of the world into view with the least movement, zooming in if seats are closer than `minPitch`. */
  reveal(point: Point, minPitch: number, now: number): void {
    const target = this.target();
    const scale = Math.max(target.scale, views.scaleForPitch(minPitch));
    const near = scale === target.scale ? target : views.centredView(point, scale, this.screen);
    this.glideTo(views.revealed(near, point, this.screen, REVEAL_SPACE_PX), now);
  }

  /** Stays where it is, for example because a finger took hold. */
  stop(): void {
    this.glide = undefined;
  }

  /** Moves a glide on. */
  tick(now: number): void {
    if (!this.glide) return;
    const { from, to, since } = this.glide;
    const share = between((now - since) / GLIDE_MS, 0, 1);
    if (share === 1) this.glide = undefined;
    // Ease out: fast at once, so that it feels like an answer, and slow at the end.
    this.current = views.viewBetween(from, to, 1 - (1 - share) ** 3);
  }

  private jump(view: View): void {
    this.glide = undefined;
    this.current = this.clamped(view);
  }

  private glideTo(view: View, now: number): void {
    const to = this.clamped(view);
    if (this.jumps || views.sameView(to, this.current)) this.jump(to);
    else this.glide = { from: this.current, to, since: now };
  }

  /** Where the view is, or will be when it has arrived. */
  private target(): View {
    return this.glide?.to ?? this.current;
  }

  private fittedView(bounds: Rect): View {
    return views.clampedView(views.fitView(bounds, this.screen), bounds, this.screen);
  }

  private limits(bounds: Rect): views.ZoomLimits {
    return views.zoomLimits(bounds, this.screen);
  }

  private clamped(view: View): View {
    return this.bounds ? views.clampedView(view, this.bounds, this.screen) : view;
  }
}
