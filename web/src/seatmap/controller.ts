import { CanvasSeatRenderer } from './canvas';
import { centreOf, type Point, type Size } from './geometry';
import {
  type GestureStep,
  isDragging,
  NO_GESTURE,
  pointerCancel,
  pointerDown,
  pointerMove,
  pointerUp,
} from './gesture';
import { SeatGrid } from './grid';
import { boundsOfSeats, type Layout } from './layout';
import { isChoosable, type Look, looksOf, type Mine, NOTHING_MINE } from './looks';
import type { SeatRenderer } from './renderer';
import type { Seats } from './state';
import type { SeatTheme } from './theme';
import { SEAT_PITCH } from './venue';
import type { View } from './view';
import * as views from './view';

/** Seats this far apart (CSS pixels) can be aimed at; a tap on smaller ones zooms in instead. */
const MIN_MOUSE_PITCH_PX = 9;
const MIN_TOUCH_PITCH_PX = 15;
/** What such a tap zooms to, and what `showSeats` shows at most. */
const COMFORTABLE_PITCH_PX = 34;
/** One press of a zoom button. */
const ZOOM_STEP = 1.7;
/** Wheel travel in pixels that doubles the scale; a pinch on a trackpad arrives as a wheel with Control. */
const WHEEL_DOUBLING_PX = 360;
const PINCH_DOUBLING_PX = 70;
const WHEEL_LINE_PX = 16;
const GLIDE_MS = 260;
/** Space kept around a seat that is brought into view. */
const REVEAL_SPACE_PX = 48;

/** What a seat map is made with. */
export interface SeatMapOptions {
  readonly theme: SeatTheme;
  /** The word on the stage, in the reader's language. */
  readonly stageLabel: string;
  /** A press on a seat of any look, by mouse, pen or finger. */
  readonly onSeat: (seat: number) => void;
  /** The seat under the mouse, and the mouse's place in CSS pixels from the map's top left; undefined when it leaves. */
  readonly onHover?: (seat: number | undefined, at: Point) => void;
  /** Whether the person prefers reduced motion: then views jump instead of gliding. */
  readonly reducedMotion?: boolean;
  /** How to draw; a CanvasSeatRenderer by default. */
  readonly renderer?: (canvas: HTMLCanvasElement) => SeatRenderer;
}

/**
 * A seat map in an element: it fills the element with a canvas, follows its size, and lets pointers pan, zoom and pick.
 * Keyboard and screen reader have a DOM grid of their own (see nav.ts), hence the canvas is hidden from them.
 * It paints in animation frames, and asks for none while nothing changes.
 */
export class SeatMap {
  private readonly canvas = document.createElement('canvas');
  private readonly renderer: SeatRenderer;
  private readonly unbind = new AbortController();
  private readonly observer: ResizeObserver;
  private layout: Layout | undefined;
  private grid: SeatGrid | undefined;
  private looks = new Uint8Array();
  private view: View = { scale: 1, x: 0, y: 0 };
  private screen: Size = { width: 1, height: 1 };
  private glide: { readonly from: View; readonly to: View; readonly since: number } | undefined;
  private gesture = NO_GESTURE;
  private focus: number | undefined;
  private hover: number | undefined;
  private frame: number | undefined;

  constructor(
    private readonly host: HTMLElement,
    private readonly options: SeatMapOptions,
  ) {
    this.renderer =
      options.renderer?.(this.canvas) ??
      new CanvasSeatRenderer(this.canvas, options.theme, options.stageLabel);
    this.canvas.setAttribute('aria-hidden', 'true');
    Object.assign(this.canvas.style, { display: 'block', width: '100%', height: '100%', userSelect: 'none' });
    host.append(this.canvas);
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(host);
    this.listen();
    this.measure();
  }

  /** Shows a hall and the state of its seats. The view is fitted when the hall is a new one, else it stays. */
  show(layout: Layout, seats: Seats, mine: Mine = NOTHING_MINE): void {
    this.looks = looksFor(layout, seats, mine);
    if (layout === this.layout) {
      this.renderer.setLooks(this.looks);
    } else {
      this.layout = layout;
      this.grid = new SeatGrid(layout);
      this.hover = undefined;
      this.renderer.setLayout(layout, this.looks);
      this.glide = undefined;
      this.setView(views.fitView(layout.bounds, this.screen));
    }
    this.wake();
  }

  setTheme(theme: SeatTheme): void {
    this.renderer.setTheme(theme);
    this.wake();
  }

  /** Marks the seat that the keyboard is on and brings it into view; undefined takes the mark away. */
  setFocus(seat: number | undefined): void {
    this.focus = seat;
    this.renderer.setMarks({ focus: this.focus, hover: this.hover });
    const bounds = this.layout && seat !== undefined ? boundsOfSeats(this.layout, [seat]) : undefined;
    if (bounds) {
      const scale = Math.max(this.target().scale, views.scaleForPitch(MIN_TOUCH_PITCH_PX));
      const near =
        scale === this.target().scale ? this.target() : views.centredView(bounds, scale, this.screen);
      this.glideTo(views.revealed(near, bounds, this.screen, REVEAL_SPACE_PX));
    }
    this.wake();
  }

  /** Shows the whole hall. */
  fit(): void {
    if (this.layout) this.glideTo(views.fitView(this.layout.bounds, this.screen));
  }

  zoomIn(): void {
    this.zoomBy(ZOOM_STEP);
  }

  zoomOut(): void {
    this.zoomBy(1 / ZOOM_STEP);
  }

  /** Shows some seats, for example those just chosen for the person, large enough to press. */
  showSeats(seats: Iterable<number>): void {
    const bounds = this.layout && boundsOfSeats(this.layout, seats);
    if (!bounds) return;
    const room = Math.min(
      this.screen.width / (bounds.width + 6 * SEAT_PITCH),
      this.screen.height / (bounds.height + 6 * SEAT_PITCH),
    );
    this.glideTo(
      views.centredView(
        centreOf(bounds),
        Math.min(room, views.scaleForPitch(COMFORTABLE_PITCH_PX)),
        this.screen,
      ),
    );
  }

  /** Takes the map out of its element, with all listeners and frames. */
  destroy(): void {
    this.unbind.abort();
    this.observer.disconnect();
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
    this.renderer.destroy();
    this.canvas.remove();
  }

  private listen(): void {
    const { signal } = this.unbind;
    const { canvas } = this;
    canvas.addEventListener('pointerdown', (event) => this.pressed(event), { signal });
    canvas.addEventListener('pointermove', (event) => this.moved(event), { signal });
    canvas.addEventListener(
      'pointerup',
      (event) => this.step(event, pointerUp(this.gesture, event.pointerId)),
      { signal },
    );
    canvas.addEventListener(
      'pointercancel',
      (event) => this.step(event, pointerCancel(this.gesture, event.pointerId)),
      { signal },
    );
    canvas.addEventListener('pointerleave', (event) => this.setHover(undefined, this.at(event)), { signal });
    canvas.addEventListener('wheel', (event) => this.wheeled(event), { signal, passive: false });
    // Another screen or the browser's zoom changes the pixel ratio; both also fire resize, though not the observer.
    window.addEventListener('resize', () => this.measure(), { signal });
  }

  private pressed(event: PointerEvent): void {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    this.glide = undefined;
    this.canvas.setPointerCapture(event.pointerId);
    this.step(event, pointerDown(this.gesture, event.pointerId, this.at(event)));
  }

  private moved(event: PointerEvent): void {
    const at = this.at(event);
    this.step(event, pointerMove(this.gesture, event.pointerId, at));
    if (event.pointerType === 'mouse')
      this.setHover(isDragging(this.gesture) ? undefined : this.seatAt(at, MIN_MOUSE_PITCH_PX), at);
  }

  private step(event: PointerEvent, { gesture, effect }: GestureStep): void {
    this.gesture = gesture;
    switch (effect.kind) {
      case 'pan':
        this.setView(views.panned(this.view, effect.dx, effect.dy));
        break;
      case 'pinch':
        if (this.layout) this.setView(views.pinched(this.view, effect.from, effect.to, this.limits()));
        break;
      case 'tap':
        this.tapped(effect.at, event.pointerType === 'mouse' ? MIN_MOUSE_PITCH_PX : MIN_TOUCH_PITCH_PX);
        break;
      case 'none':
        break;
    }
    this.showCursor();
  }

  private tapped(at: Point, minPitch: number): void {
    if (SEAT_PITCH * this.view.scale < minPitch) {
      const factor = views.scaleForPitch(COMFORTABLE_PITCH_PX) / this.view.scale;
      this.glideTo(views.zoomedAt(this.view, at, factor, this.limits()));
      return;
    }
    const seat = this.seatAt(at, minPitch);
    if (seat !== undefined) this.options.onSeat(seat);
  }

  private wheeled(event: WheelEvent): void {
    const unit =
      event.deltaMode === WheelEvent.DOM_DELTA_LINE
        ? WHEEL_LINE_PX
        : event.deltaMode === WheelEvent.DOM_DELTA_PAGE
          ? this.screen.height
          : 1;
    const factor = 2 ** ((-event.deltaY * unit) / (event.ctrlKey ? PINCH_DOUBLING_PX : WHEEL_DOUBLING_PX));
    const next = this.clamped(views.zoomedAt(this.view, this.at(event), factor, this.limits()));
    // Where there is nothing left to zoom, the wheel goes on scrolling the page.
    if (views.sameView(next, this.view) && !event.ctrlKey) return;
    event.preventDefault();
    this.glide = undefined;
    this.setView(next);
  }

  private zoomBy(factor: number): void {
    const middle = { x: this.screen.width / 2, y: this.screen.height / 2 };
    this.glideTo(views.zoomedAt(this.target(), middle, factor, this.limits()));
  }

  /** Where the view is, or will be when it has arrived. */
  private target(): View {
    return this.glide?.to ?? this.view;
  }

  private glideTo(view: View): void {
    const to = this.clamped(view);
    if (views.sameView(to, this.view)) {
      this.glide = undefined;
      return;
    }
    if (this.options.reducedMotion) return this.setView(to);
    this.glide = { from: this.view, to, since: performance.now() };
    this.wake();
  }

  private setView(view: View): void {
    this.view = this.clamped(view);
    this.renderer.setView(this.view);
    // A fitted map leaves one-finger swipes to the page, which on a phone would otherwise be stuck under the map.
    const fitted =
      this.layout && views.sameView(this.view, this.clamped(views.fitView(this.layout.bounds, this.screen)));
    this.canvas.style.touchAction = fitted ? 'pan-y' : 'none';
    this.wake();
  }

  private clamped(view: View): View {
    return this.layout ? views.clampedView(view, this.layout.bounds, this.screen) : view;
  }

  private limits(): views.ZoomLimits {
    return this.layout
      ? views.zoomLimits(this.layout.bounds, this.screen)
      : { min: this.view.scale, max: this.view.scale };
  }

  private measure(): void {
    const { layout, screen: before } = this;
    this.screen = { width: Math.max(1, this.host.clientWidth), height: Math.max(1, this.host.clientHeight) };
    this.renderer.resize(this.screen, window.devicePixelRatio);
    if (layout) {
      const wasFitted = views.sameView(
        this.target(),
        views.clampedView(views.fitView(layout.bounds, before), layout.bounds, before),
      );
      const middle = views.toWorld(this.view, { x: before.width / 2, y: before.height / 2 });
      const { min, max } = this.limits();
      this.glide = undefined;
      this.setView(
        wasFitted
          ? views.fitView(layout.bounds, this.screen)
          : views.centredView(middle, Math.max(min, Math.min(max, this.view.scale)), this.screen),
      );
    }
    this.wake();
  }

  private seatAt(at: Point, minPitch: number): number | undefined {
    if (SEAT_PITCH * this.view.scale < minPitch) return undefined;
    const { x, y } = views.toWorld(this.view, at);
    return this.grid?.hit(x, y, SEAT_PITCH * 0.55);
  }

  private setHover(seat: number | undefined, at: Point): void {
    const changed = seat !== this.hover;
    this.hover = seat;
    if (changed || seat !== undefined) this.options.onHover?.(seat, at);
    if (!changed) return;
    this.renderer.setMarks({ focus: this.focus, hover: seat });
    this.showCursor();
    this.wake();
  }

  private showCursor(): void {
    const look = this.hover === undefined ? undefined : (this.looks[this.hover - 1] as Look | undefined);
    const idle =
      look !== undefined && isChoosable(look) ? 'pointer' : look === undefined ? 'grab' : 'default';
    this.canvas.style.cursor = isDragging(this.gesture) ? 'grabbing' : idle;
  }

  private at(event: MouseEvent): Point {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private wake(): void {
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  private tick(now: number): void {
    this.frame = undefined;
    if (this.glide) {
      const share = Math.min(1, Math.max(0, (now - this.glide.since) / GLIDE_MS));
      const { from, to } = this.glide;
      if (share === 1) this.glide = undefined;
      this.setView(views.viewBetween(from, to, 1 - (1 - share) ** 3));
    }
    if (this.renderer.draw() || this.glide) this.wake();
  }
}

/** The looks of all seats of a layout, whatever size the snapshot has: the two may come from before and after a change. */
function looksFor(layout: Layout, seats: Seats, mine: Mine): Uint8Array<ArrayBuffer> {
  const looks = new Uint8Array(layout.seatCount);
  looks.set(looksOf(seats, mine).subarray(0, layout.seatCount));
  return looks;
}
