import { Camera } from './camera';
import { CanvasSeatRenderer } from './canvas';
import type { Point } from './geometry';
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
import { toWorld } from './view';

/** Seats this far apart (CSS pixels) can be aimed at; a tap on smaller ones zooms in instead. */
const MIN_MOUSE_PITCH_PX = 9;
const MIN_TOUCH_PITCH_PX = 15;
/** One press of a zoom button. */
const ZOOM_STEP = 1.7;
/** Wheel travel in pixels that doubles the scale; a pinch on a trackpad arrives as a wheel with Control. */
const WHEEL_DOUBLING_PX = 360;
const PINCH_DOUBLING_PX = 70;
const WHEEL_LINE_PX = 16;
/** A press this far from a seat's middle, in seat distances, still means the seat. */
const HIT_REACH = 0.65;

/** What a seat map is made with. */
export interface SeatMapOptions {
  readonly theme: SeatTheme;
  /** The word on the stage, in the reader's language. */
  readonly stageLabel: string;
  /** A press on a seat of any look, by mouse, pen or finger. */
  readonly onSeat: (seat: number) => void;
  /** The seat under the mouse, and the mouse's place in CSS pixels from the map's top left; undefined when it leaves. */
  readonly onHover?: (seat: number | undefined, at: Point) => void;
  /** What a press means anything on, for the mouse's pointer; `isChoosable` by default. */
  readonly choosable?: (look: Look) => boolean;
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
  private readonly camera: Camera;
  private readonly unbind = new AbortController();
  private readonly observer: ResizeObserver;
  private layout: Layout | undefined;
  private grid: SeatGrid | undefined;
  private looks = new Uint8Array();
  private gesture = NO_GESTURE;
  private focus: number | undefined;
  private hover: number | undefined;
  private frame: number | undefined;

  /** The element's size must not depend on its content, for example by a height of its own. */
  constructor(
    private readonly host: HTMLElement,
    private readonly options: SeatMapOptions,
  ) {
    this.renderer =
      options.renderer?.(this.canvas) ??
      new CanvasSeatRenderer(this.canvas, options.theme, options.stageLabel);
    this.camera = new Camera(options.reducedMotion ?? false);
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
      this.renderer.setLayout(layout, this.looks);
      this.camera.enter(layout.bounds);
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
    this.renderer.setMarks({ focus: seat, hover: this.hover });
    const bounds = this.layout && seat !== undefined ? boundsOfSeats(this.layout, [seat]) : undefined;
    if (bounds) this.camera.reveal(bounds, MIN_TOUCH_PITCH_PX, performance.now());
    this.wake();
  }

  /** Shows the whole hall. */
  fit(): void {
    this.camera.fit(performance.now());
    this.wake();
  }

  zoomIn(): void {
    this.camera.glideZoom(ZOOM_STEP, performance.now());
    this.wake();
  }

  zoomOut(): void {
    this.camera.glideZoom(1 / ZOOM_STEP, performance.now());
    this.wake();
  }

  /** Shows some seats, for example those just chosen for the person, large enough to press. */
  showSeats(seats: Iterable<number>): void {
    const bounds = this.layout && boundsOfSeats(this.layout, seats);
    if (bounds) this.camera.showRect(bounds, performance.now());
    this.wake();
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
    // The browser's zoom and a move to another screen change the pixel ratio without changing the element's size.
    window.addEventListener('resize', () => this.measure(), { signal });
  }

  private pressed(event: PointerEvent): void {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    this.camera.stop();
    this.canvas.setPointerCapture(event.pointerId);
    this.step(event, pointerDown(this.gesture, event.pointerId, this.at(event)));
  }

  private moved(event: PointerEvent): void {
    const at = this.at(event);
    this.step(event, pointerMove(this.gesture, event.pointerId, at));
    if (event.pointerType !== 'mouse') return;
    this.setHover(isDragging(this.gesture) ? undefined : this.seatAt(at, MIN_MOUSE_PITCH_PX), at);
  }

  private step(event: PointerEvent, { gesture, effect }: GestureStep): void {
    this.gesture = gesture;
    switch (effect.kind) {
      case 'pan':
        this.camera.pan(effect.dx, effect.dy);
        this.wake();
        break;
      case 'pinch':
        this.camera.pinch(effect.from, effect.to);
        this.wake();
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
    if (this.camera.pitch < minPitch) {
      this.camera.approach(at, performance.now());
      this.wake();
      return;
    }
    const seat = this.seatAt(at, minPitch);
    if (seat !== undefined) this.options.onSeat(seat);
  }

  private wheeled(event: WheelEvent): void {
    const travel = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : WHEEL_LINE_PX);
    const zoomed = this.camera.zoom(
      this.at(event),
      2 ** (-travel / (event.ctrlKey ? PINCH_DOUBLING_PX : WHEEL_DOUBLING_PX)),
    );
    // Where there is nothing left to zoom the wheel scrolls the page; a pinch must never zoom the page instead.
    if (zoomed || event.ctrlKey) event.preventDefault();
    if (zoomed) this.setHover(this.seatAt(this.at(event), MIN_MOUSE_PITCH_PX), this.at(event));
    this.wake();
  }

  private measure(): void {
    const screen = { width: Math.max(1, this.host.clientWidth), height: Math.max(1, this.host.clientHeight) };
    this.renderer.resize(screen, window.devicePixelRatio);
    this.camera.resize(screen);
    this.wake();
  }

  private seatAt(at: Point, minPitch: number): number | undefined {
    if (this.camera.pitch < minPitch) return undefined;
    const { x, y } = toWorld(this.camera.view, at);
    return this.grid?.hit(x, y, SEAT_PITCH * HIT_REACH);
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
    const idle = look === undefined ? 'grab' : (this.options.choosable ?? isChoosable)(look) ? 'pointer' : 'default';
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
    this.camera.tick(now);
    this.renderer.setView(this.camera.view);
    // A fitted map leaves one-finger swipes to the page, which on a phone would otherwise be stuck under the map.
    this.canvas.style.touchAction = this.camera.fitted ? 'pan-y' : 'none';
    if (this.renderer.draw() || this.camera.gliding) this.wake();
  }
}

/** The looks of all seats of a layout, whatever size the snapshot has: the two may come from before and after a change. */
function looksFor(layout: Layout, seats: Seats, mine: Mine): Uint8Array<ArrayBuffer> {
  const looks = new Uint8Array(layout.seatCount);
  looks.set(looksOf(seats, mine).subarray(0, layout.seatCount));
  return looks;
}
