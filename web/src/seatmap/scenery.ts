import { between, inflate, overlaps, type Rect } from './geometry';
import { type Layout, type SeatSection, TITLE_ROOM } from './layout';
import type { SeatTheme } from './theme';
import { SEAT_PITCH } from './venue';

/** World to device pixels: device = world × scale + (x, y), the offsets whole. `ratio` is device per CSS pixel. */
export interface Frame {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
  readonly ratio: number;
}

/** Blocks and stage are drawn this much (world units) larger than their outlines, which rounds their corners. */
const ROUNDING = 10;
/** From this distance of seats (CSS pixels) on, rows carry their labels; below, sections carry their names. */
const ROW_LABEL_PITCH_PX = 12;
/** A section narrower than this on the screen (CSS pixels) has no room for its name. */
const PLATE_MIN_WIDTH_PX = 54;
const PLATE_HEIGHT_PX = 20;
const PLATE_FONT_PX = 11;

/** The names of sections stand above their rows where there is so much room (CSS pixels), else on plates. */
const TITLE_MIN_PX = 11;
/** The part of a section's width that its name may take: towards its corners the rows bend into the name. */
const TITLE_SHARE = 0.9;

/** Everything of the hall but its seats: blocks, stage, names. Paths are built once per layout. */
export class Scenery {
  private readonly blocks: readonly { readonly section: SeatSection; readonly path: Path2D }[];
  private readonly stage: Path2D;

  constructor(
    private readonly layout: Layout,
    private readonly stageLabel: string,
  ) {
    this.blocks = layout.sections.map((section) => ({ section, path: polygonPath(section.outline) }));
    this.stage = polygonPath(layout.stage.outline);
  }

  /** What lies below the seats. `world` is the part to paint. */
  drawBelow(c: CanvasRenderingContext2D, frame: Frame, world: Rect, theme: SeatTheme): void {
    c.save();
    c.setTransform(frame.scale, 0, 0, frame.scale, frame.x, frame.y);
    c.lineJoin = 'round';
    const edge = (1.25 * frame.ratio) / frame.scale;
    for (const { section, path } of this.blocks) {
      if (!overlaps(inflate(section.bounds, ROUNDING + edge), world)) continue;
      fillRounded(c, path, theme.sectionEdge, 2 * ROUNDING + 2 * edge);
      fillRounded(c, path, theme.section, 2 * ROUNDING);
    }
    fillRounded(c, this.stage, theme.stageEdge, 2 * ROUNDING + 2 * edge);
    fillRounded(c, this.stage, theme.stage, 2 * ROUNDING);
    c.restore();
    this.drawStageLabel(c, frame, theme);
  }

  /** What lies above the seats: row labels when seats are large, else the sections' names. */
  drawAbove(c: CanvasRenderingContext2D, frame: Frame, world: Rect, theme: SeatTheme): void {
    const pitch = (SEAT_PITCH * frame.scale) / frame.ratio;
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    const titled = TITLE_ROOM * frame.scale >= TITLE_MIN_PX * frame.ratio;
    if (titled) this.drawTitles(c, frame, world, theme);
    if (pitch >= ROW_LABEL_PITCH_PX) this.drawRowLabels(c, frame, world, theme);
    else if (this.blocks.length > 1) this.drawPlates(c, frame, world, theme, titled);
  }

  /** The names of sections above their rows. */
  private drawTitles(c: CanvasRenderingContext2D, frame: Frame, world: Rect, theme: SeatTheme): void {
    const size = between(15 * frame.scale, 10 * frame.ratio, 20 * frame.ratio);
    c.font = `700 ${size}px ${theme.fontFamily}`;
    c.fillStyle = theme.stageText;
    for (const { section } of this.blocks) {
      const { title } = section;
      if (!title || !overlaps(inflate(section.bounds, ROUNDING), world)) continue;
      c.save();
      c.translate(
        Math.round(title.at.x * frame.scale + frame.x),
        Math.round(title.at.y * frame.scale + frame.y),
      );
      c.rotate(title.turn);
      c.fillText(fitted(c, section.name, TITLE_SHARE * title.width * frame.scale), 0, size * 0.36);
      c.restore();
    }
  }

  private drawRowLabels(c: CanvasRenderingContext2D, frame: Frame, world: Rect, theme: SeatTheme): void {
    const size = between(11 * frame.scale, 9 * frame.ratio, 15 * frame.ratio);
    c.font = `600 ${size}px ${theme.fontFamily}`;
    c.fillStyle = theme.label;
    const reach = inflate(world, (3 * size) / frame.scale);
    for (const { section } of this.blocks) {
      if (!overlaps(inflate(section.bounds, ROUNDING), reach)) continue;
      for (const row of section.rows) {
        for (const { x, y } of row.labelAt) {
          if (x < reach.x || y < reach.y || x > reach.x + reach.width || y > reach.y + reach.height) continue;
          c.fillText(
            row.label,
            Math.round(x * frame.scale + frame.x),
            Math.round(y * frame.scale + frame.y + size * 0.36),
            section.labelWidth === undefined ? undefined : section.labelWidth * frame.scale,
          );
        }
      }
    }
  }

  /** The names of sections on plates, where they have none above their rows. */
  private drawPlates(
    c: CanvasRenderingContext2D,
    frame: Frame,
    world: Rect,
    theme: SeatTheme,
    titled: boolean,
  ): void {
    const { ratio } = frame;
    const height = PLATE_HEIGHT_PX * ratio;
    c.font = `600 ${PLATE_FONT_PX * ratio}px ${theme.fontFamily}`;
    for (const { section } of this.blocks) {
      if (titled && section.title) continue;
      const room = section.bounds.width * frame.scale;
      if (room < PLATE_MIN_WIDTH_PX * ratio || section.bounds.height * frame.scale < height) continue;
      const name = fitted(c, section.name, room - 16 * ratio);
      const width = c.measureText(name).width + 16 * ratio;
      const x = Math.round(section.centre.x * frame.scale + frame.x);
      const y = Math.round(section.centre.y * frame.scale + frame.y);
      const plate = { x: x - width / 2, y: y - height / 2, width, height };
      if (!overlaps(plate, screenRect(frame, world))) continue;
      c.fillStyle = theme.plate;
      c.beginPath();
      c.roundRect(plate.x, plate.y, width, height, height / 2);
      c.fill();
      c.fillStyle = theme.plateText;
      c.fillText(name, x, y + PLATE_FONT_PX * ratio * 0.36);
    }
  }

  private drawStageLabel(c: CanvasRenderingContext2D, frame: Frame, theme: SeatTheme): void {
    const { centre, depth } = this.layout.stage;
    const room = depth * frame.scale;
    const size = Math.min(between(room * 0.3, 10 * frame.ratio, 22 * frame.ratio), room * 0.6);
    if (size < 7 * frame.ratio) return;
    c.font = `600 ${size}px ${theme.fontFamily}`;
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    c.fillStyle = theme.stageText;
    c.letterSpacing = `${size * 0.28}px`;
    c.fillText(
      this.stageLabel,
      centre.x * frame.scale + frame.x + size * 0.14,
      centre.y * frame.scale + frame.y + size * 0.36,
    );
    c.letterSpacing = '0px';
  }
}

/** Where a part of the world is on the canvas, in device pixels. */
export function screenRect(frame: Frame, world: Rect): Rect {
  return {
    x: world.x * frame.scale + frame.x,
    y: world.y * frame.scale + frame.y,
    width: world.width * frame.scale,
    height: world.height * frame.scale,
  };
}

/** A text cut so that it is no wider than it may be. */
function fitted(c: CanvasRenderingContext2D, text: string, width: number): string {
  const measured = c.measureText(text).width;
  if (measured <= width) return text;
  const letters = [...text];
  const kept = Math.floor((letters.length * width) / measured) - 1;
  return kept > 0 ? `${letters.slice(0, kept).join('')}…` : '';
}

function fillRounded(c: CanvasRenderingContext2D, path: Path2D, colour: string, line: number): void {
  c.fillStyle = colour;
  c.strokeStyle = colour;
  c.lineWidth = line;
  c.fill(path);
  c.stroke(path);
}

function polygonPath(points: Float32Array): Path2D {
  const path = new Path2D();
  for (let i = 0; i + 1 < points.length; i += 2) path.lineTo(points[i] ?? 0, points[i + 1] ?? 0);
  path.closePath();
  return path;
}
