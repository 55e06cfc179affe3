// Seat numbers as one types them: "3-5, 8 21".

/** More seats than one booking can have. */
const MAX_SEATS = 1000;

/** The seats of a list, rising, each once; null where the text is no list of seats, or of too many. */
export function seatNumbersIn(text: string, most = MAX_SEATS): number[] | null {
  const seats = new Set<number>();
  const parts = text.replace(/\s*[-–]\s*/g, '-').split(/[\s,;]+/);
  for (const part of parts) {
    if (part === '') continue;
    const range = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part);
    if (!range) return null;
    const from = Number(range[1]);
    const to = Number(range[2] ?? range[1]);
    if (from < 1 || to < from || to - from >= most) return null;
    for (let seat = from; seat <= to; seat++) seats.add(seat);
    if (seats.size > most) return null;
  }
  return [...seats].sort((a, b) => a - b);
}
