//! What one replica must be told so that it says what the hub says.

use twofold_model::patch::{apply, difference};
use twofold_model::{Content, Identity, Lens, Rendering, Result};

/// Whether two contents differ in what the lens's place can hold.
pub fn differs(lens: &dyn Lens, agreed: &Content, target: &Content) -> Result<bool> {
    Ok(agreed != target && lens.project(agreed)? != lens.project(target)?)
}

/// The rendering that `seen` must become, or `None` when there is nothing to tell.
///
/// Only what the hub changed since `agreed`, in what the place can hold, is laid over what the place says now. So a place's
/// own spelling is left alone, and a changed mapping sends nothing.
pub fn toward(
    lens: &dyn Lens,
    agreed: &Content,
    seen: &Rendering,
    target: &Content,
    identity: &Identity,
) -> Result<Option<Rendering>> {
    if agreed == target {
        return Ok(None);
    }
    let patch = difference(&lens.project(agreed)?, &lens.project(target)?);
    if patch.is_empty() {
        return Ok(None);
    }
    let says = lens.read(seen)?;
    let shall = apply(&says, &patch);
    if shall == says {
        return Ok(None);
    }
    let to = lens.write(Some(seen), &shall, identity)?;
    // A place that cannot be brought nearer is left as it is.
    Ok((to != *seen && lens.read(&to)? != says).then_some(to))
}
