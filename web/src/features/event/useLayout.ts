import { useMemo } from 'react';
import { defaultLayout, type House, houseLayout, type Layout } from '@/seatmap';

/** Where an event's seats lie on the map: as its house says, else in rows of 20. Undefined while that is not known. */
export function useLayout(house: House | null | undefined, slots: number): Layout | undefined {
  return useMemo(() => {
    if (house) return houseLayout(house);
    return house === null && slots > 0 ? defaultLayout(slots) : undefined;
  }, [house, slots]);
}
