import { t } from '@lingui/core/macro';
import { Look } from '@/seatmap';

/** What a seat's look is called, for labels and the legend. */
export function lookName(look: Look): string {
  switch (look) {
    case Look.free:
      return t`free`;
    case Look.held:
      return t`being chosen by someone`;
    case Look.booked:
      return t`sold`;
    case Look.blocked:
      return t`not for sale`;
    case Look.selected:
      return t`chosen by you`;
    case Look.mineHeld:
      return t`held for you`;
    case Look.mineBooked:
      return t`yours`;
  }
}
