//! The suite that every connector passes. (being written)
