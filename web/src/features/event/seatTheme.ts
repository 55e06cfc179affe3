import { DARK_THEME, LIGHT_THEME, type SeatTheme } from '@/seatmap';

const FONT = '"Figtree Variable", ui-sans-serif, system-ui, "Segoe UI", sans-serif';

/** The map's colours in the family of the page's. */
export function seatThemeFor(dark: boolean): SeatTheme {
  return dark
    ? {
        ...DARK_THEME,
        fontFamily: FONT,
        background: 'oklch(0.208 0.013 285)',
        section: 'oklch(0.228 0.014 285)',
        sectionEdge: 'oklch(0.302 0.016 285)',
        stage: 'oklch(0.27 0.018 285)',
        stageEdge: 'oklch(0.36 0.02 285)',
        stageText: 'oklch(0.82 0.012 285)',
        label: 'oklch(0.72 0.014 285)',
        plate: 'oklch(0.24 0.015 285 / 0.92)',
        plateText: 'oklch(0.94 0.005 285)',
        booked: 'oklch(0.31 0.016 285)',
        onBooked: 'oklch(0.6 0.016 285)',
        blocked: 'oklch(0.55 0.016 285)',
        free: 'oklch(0.77 0.115 180)',
        mine: 'oklch(0.74 0.155 290)',
        focus: 'oklch(0.9 0.08 285)',
        hover: 'oklch(0.97 0.005 285)',
      }
    : {
        ...LIGHT_THEME,
        fontFamily: FONT,
        background: 'oklch(1 0 0)',
        section: 'oklch(0.985 0.003 285)',
        sectionEdge: 'oklch(0.918 0.007 285)',
        stage: 'oklch(0.945 0.008 285)',
        stageEdge: 'oklch(0.88 0.012 285)',
        stageText: 'oklch(0.43 0.02 285)',
        label: 'oklch(0.5 0.02 285)',
        plate: 'oklch(1 0 0 / 0.93)',
        plateText: 'oklch(0.3 0.02 285)',
        booked: 'oklch(0.905 0.008 285)',
        onBooked: 'oklch(0.62 0.014 285)',
        blocked: 'oklch(0.68 0.014 285)',
        free: 'oklch(0.6 0.105 183)',
        mine: 'oklch(0.51 0.235 281)',
        focus: 'oklch(0.4 0.2 275)',
        hover: 'oklch(0.215 0.022 285)',
      };
}
