/**
 * The colours of a map, any CSS colours. They only support the shapes: each state has its own glyph, so that the map
 * can be read without telling colours apart.
 */
export interface SeatTheme {
  /** Behind everything; must be opaque, because repainting a spot starts with it. */
  readonly background: string;
  readonly section: string;
  readonly sectionEdge: string;
  readonly stage: string;
  readonly stageEdge: string;
  readonly stageText: string;
  /** Row labels. */
  readonly label: string;
  /** The name plate of a section, shown while its seats are too small to tell apart. */
  readonly plate: string;
  readonly plateText: string;
  readonly free: string;
  readonly onFree: string;
  readonly held: string;
  readonly booked: string;
  readonly onBooked: string;
  readonly blocked: string;
  /** My seats: chosen, held, booked. */
  readonly mine: string;
  readonly onMine: string;
  /** The keyboard's focus; it stands on `background` and needs 3:1 against it. */
  readonly focus: string;
  readonly hover: string;
  readonly fontFamily: string;
}

const FONT = 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

/** Colours for a light page. */
export const LIGHT_THEME: SeatTheme = {
  background: '#f8fafc',
  section: '#ffffff',
  sectionEdge: '#e2e8f0',
  stage: '#e2e8f0',
  stageEdge: '#cbd5e1',
  stageText: '#475569',
  label: '#64748b',
  plate: 'rgba(255, 255, 255, 0.92)',
  plateText: '#334155',
  free: '#0d9488',
  onFree: '#ffffff',
  held: '#d97706',
  booked: '#d8dfe9',
  onBooked: '#8191a8',
  blocked: '#94a3b8',
  mine: '#6d28d9',
  onMine: '#ffffff',
  focus: '#1d4ed8',
  hover: '#0f172a',
  fontFamily: FONT,
};

/** Colours for a dark page. */
export const DARK_THEME: SeatTheme = {
  background: '#0b1120',
  section: '#111a2e',
  sectionEdge: '#1f2b45',
  stage: '#1c2842',
  stageEdge: '#33415f',
  stageText: '#cbd5e1',
  label: '#94a3b8',
  plate: 'rgba(17, 26, 46, 0.9)',
  plateText: '#e2e8f0',
  free: '#2dd4bf',
  onFree: '#042f2e',
  held: '#fbbf24',
  booked: '#2c3a56',
  onBooked: '#7d8ca6',
  blocked: '#64748b',
  mine: '#a78bfa',
  onMine: '#1e1b4b',
  focus: '#93c5fd',
  hover: '#f8fafc',
  fontFamily: FONT,
};
