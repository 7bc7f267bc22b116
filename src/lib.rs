//! twofold: keeps Microsoft 365, Google Workspace and device folders the same, both ways, without loss.
