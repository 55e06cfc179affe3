import { t } from '@lingui/core/macro';
import { type KeyboardEvent, useId, useRef, useState } from 'react';
import type { Role } from '@/api/types';
import { isRole, ROLES, roleName } from '@/features/organization/roles';
import { Select } from '@/ui/Field';

/** Keys that change a closed list's value where they are pressed. */
function steps(e: KeyboardEvent): boolean {
  const moves = /^(Arrow|Home|End|Page)/.test(e.key) || (e.key.length === 1 && e.key !== ' ');
  return moves && !e.altKey && !e.ctrlKey && !e.metaKey;
}

/**
 * A list of roles that takes effect when one is picked. Arrow keys only look
 * through it: what they come to counts when one confirms it or goes on.
 */
export function RolePicker({
  label,
  value,
  busy,
  onPick,
}: {
  label: string;
  value: Role;
  busy: boolean;
  onPick: (role: Role) => void;
}) {
  const hint = useId();
  const [looked, setLooked] = useState<Role | null>(null);
  const stepping = useRef(false);
  const settle = () => {
    setLooked(null);
    if (looked !== null && !busy) onPick(looked);
  };
  const press = (e: KeyboardEvent) => {
    // Enter in an open list picks there, and says so by a change after this.
    stepping.current = steps(e);
    if (looked === null) return;
    if (e.key === 'Enter') {
      e.preventDefault();
      settle();
    } else if (e.key === 'Escape') setLooked(null);
  };
  const change = (role: string) => {
    if (!isRole(role) || busy) return;
    if (stepping.current) setLooked(role === value ? null : role);
    else {
      setLooked(null);
      onPick(role);
    }
    stepping.current = false;
  };
  return (
    <span className="w-40 max-sm:w-auto max-sm:flex-1">
      <Select
        aria-label={label}
        aria-describedby={looked ? hint : undefined}
        // Disabled, it would lose the focus.
        aria-disabled={busy || undefined}
        aria-busy={busy || undefined}
        value={looked ?? value}
        onKeyDown={press}
        onPointerDown={() => {
          stepping.current = false;
        }}
        onBlur={settle}
        onChange={(e) => change(e.target.value)}
      >
        {ROLES.map((role) => (
          <option key={role} value={role}>
            {roleName(role)}
          </option>
        ))}
      </Select>
      {looked ? (
        <span id={hint} role="status" className="mt-1 block text-xs text-muted">
          {t`Enter applies it, Escape takes it back`}
        </span>
      ) : null}
    </span>
  );
}
