package postgres

import (
	"encoding/binary"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// batchArrays are the arrays of a batch, one per column.
type batchArrays struct {
	checkIDs, checkVersions *array

	updID, updStatus, updSeats, updWaiting, updReason, updAt *array
	dropEvent, dropBooking, dropSeat                         *array

	bID, bOrg, bEvent, bUser, bSeats, bStatus, bWaiting, bReason, bCreated, bUpdated *array
	sOrg, sEvent, sBooking, sUser, sSeat                                             *array
	hID, hOrg, hEvent, hBooking, hUser, hActor, hAction, hDetails, hKey, hHash, hAt  *array
	oKind                                                                            *array
	eID, eVersion, eAvailable, eLastWaiting, eWaiting, eDelta                        *array
	rID, rOrg, rEvent, rActor, rAction, rBefore, rAfter, rAt                         *array
	fID, fBy, fFor                                                                   *array

	all     []*array
	details []byte
	net     map[uuid.UUID]*netChange
}

func newBatchArrays() batchArrays {
	a := batchArrays{net: make(map[uuid.UUID]*netChange)}
	for _, column := range []struct {
		oid     uint32
		columns []**array
	}{
		{oidUUID, []**array{&a.checkIDs, &a.updID, &a.dropEvent, &a.dropBooking, &a.bID, &a.bOrg, &a.bEvent, &a.bUser,
			&a.sOrg, &a.sEvent, &a.sBooking, &a.sUser, &a.hID, &a.hOrg, &a.hEvent, &a.hBooking, &a.hUser, &a.hActor, &a.eID,
			&a.rID, &a.rOrg, &a.rEvent, &a.rActor, &a.fID, &a.fBy}},
		{oidInt8, []**array{&a.checkVersions, &a.updWaiting, &a.bWaiting, &a.eVersion, &a.eLastWaiting}},
		{oidInt4, []**array{&a.updSeats, &a.dropSeat, &a.bSeats, &a.sSeat, &a.eAvailable, &a.eWaiting}},
		{oidText, []**array{&a.updStatus, &a.updReason, &a.bStatus, &a.bReason, &a.hAction, &a.hKey, &a.oKind, &a.rAction, &a.fFor}},
		{oidTimestamptz, []**array{&a.updAt, &a.bCreated, &a.bUpdated, &a.hAt, &a.rAt}},
		{oidJSONB, []**array{&a.hDetails, &a.rBefore, &a.rAfter}},
		{oidBytea, []**array{&a.hHash, &a.eDelta}},
	} {
		for _, c := range column.columns {
			*c = newArray(column.oid)
			a.all = append(a.all, *c)
		}
	}
	return a
}

// write lists the parameters of the statement "write" in their order.
func (a *batchArrays) write() []*array {
	return []*array{
		a.bID, a.bOrg, a.bEvent, a.bUser, a.bSeats, a.bStatus, a.bWaiting, a.bReason, a.bCreated, a.bUpdated,
		a.sOrg, a.sEvent, a.sBooking, a.sUser, a.sSeat,
		a.hID, a.hOrg, a.hEvent, a.hBooking, a.hUser, a.hActor, a.hAction, a.hDetails, a.hKey, a.hHash, a.hAt,
		a.oKind,
		a.eID, a.eVersion, a.eAvailable, a.eLastWaiting, a.eWaiting, a.eDelta,
	}
}

// netChange is what a whole batch did to one booking: rows are written once,
// however often it changed; history tells every step.
type netChange struct {
	first, last *booking.Change
	org, event  uuid.UUID
}

// fill turns a batch into arrays.
func (a *batchArrays) fill(b *booking.Batch) error {
	for _, c := range a.all {
		c.reset()
		binary.BigEndian.PutUint32(c.b[4:], 0)
	}
	clear(a.net)
	orgs := make(map[uuid.UUID]uuid.UUID, len(b.Events))
	for i := range b.Events {
		w := &b.Events[i]
		orgs[w.EventID] = w.OrgID
		a.checkIDs.uuid(w.EventID)
		a.checkVersions.int8(w.Version)
		if !w.Moved {
			continue
		}
		a.eID.uuid(w.EventID)
		a.eVersion.int8(w.Version + 1)
		a.eAvailable.int4(w.Available)
		a.eLastWaiting.int8(w.LastWaiting)
		a.eWaiting.int4(w.Waiting)
		a.eDelta.bytea(w.Delta)
	}
	order := make([]*netChange, 0, len(b.Changes))
	for i := range b.Changes {
		c := &b.Changes[i]
		org := orgs[b.EventOf[i]]
		a.history(c, org, b.EventOf[i])
		if err := a.record(c, org, b.EventOf[i]); err != nil {
			return err
		}
		if n := a.net[c.BookingID]; n != nil {
			n.last = c
			continue
		}
		n := &netChange{first: c, last: c, org: org, event: b.EventOf[i]}
		a.net[c.BookingID] = n
		order = append(order, n)
	}
	for _, n := range order {
		a.booking(n)
	}
	return nil
}

// record adds what belongs into the organization's record, which few changes
// do.
func (a *batchArrays) record(c *booking.Change, org, event uuid.UUID) error {
	action, ok := c.Recorded()
	if !ok {
		return nil
	}
	before, after, err := c.Record()
	if err != nil {
		return err
	}
	a.rID.uuid(c.ID)
	a.rOrg.uuid(org)
	a.rEvent.uuid(event)
	a.rActor.uuid(c.Actor)
	a.rAction.text(string(action))
	if before == nil {
		a.rBefore.null()
	} else {
		a.rBefore.jsonb(before)
	}
	a.rAfter.jsonb(after)
	a.rAt.time(c.At)
	return nil
}

func (a *batchArrays) history(c *booking.Change, org, event uuid.UUID) {
	a.hID.uuid(c.ID)
	a.hOrg.uuid(org)
	a.hEvent.uuid(event)
	a.hBooking.uuid(c.BookingID)
	a.hUser.uuid(c.UserID)
	a.hActor.uuidOrNull(c.Actor)
	a.hAction.text(string(c.Action))
	a.details = booking.AppendDetails(a.details[:0], c)
	a.hDetails.jsonb(a.details)
	if c.Key.Value == "" {
		a.hKey.null()
		a.hHash.null()
	} else {
		a.hKey.text(c.Key.Value)
		a.hHash.bytea(c.Key.Hash[:])
	}
	a.hAt.time(c.At)
	a.oKind.text(c.Action.FactKind())
}

func (a *batchArrays) booking(n *netChange) {
	before, after := &n.first.Before, &n.last.After
	if before.Status == "" {
		a.bID.uuid(n.first.BookingID)
		a.bOrg.uuid(n.org)
		a.bEvent.uuid(n.event)
		a.bUser.uuid(n.first.UserID)
		a.bSeats.int4(after.Seats)
		a.bStatus.text(string(after.Status))
		a.bWaiting.int8OrNull(after.WaitingNumber)
		a.bReason.text(after.Reason)
		a.bCreated.time(n.first.CreatedAt)
		a.bUpdated.time(n.last.At)
		if n.first.ForSomebody() {
			a.fID.uuid(n.first.BookingID)
			a.fBy.uuid(n.first.Actor)
			a.fFor.text(n.first.BookedFor)
		}
	} else {
		a.updID.uuid(n.first.BookingID)
		a.updStatus.text(string(after.Status))
		a.updSeats.int4(after.Seats)
		a.updWaiting.int8OrNull(after.WaitingNumber)
		a.updReason.text(after.Reason)
		a.updAt.time(n.last.At)
	}
	for _, s := range booking.Without(before.SeatNumbers, after.SeatNumbers) {
		a.dropEvent.uuid(n.event)
		a.dropBooking.uuid(n.first.BookingID)
		a.dropSeat.int4(s)
	}
	for _, s := range booking.Without(after.SeatNumbers, before.SeatNumbers) {
		a.sOrg.uuid(n.org)
		a.sEvent.uuid(n.event)
		a.sBooking.uuid(n.first.BookingID)
		a.sUser.uuid(n.first.UserID)
		a.sSeat.int4(s)
	}
}
