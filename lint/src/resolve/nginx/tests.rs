//! Whole configurations → programs, as tables.
