//! The model shared by filter, linter and page.
