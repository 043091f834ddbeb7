"""Routines: loop programs written by hand, where a schedule of one's own is measurably faster than the scheduler's."""
