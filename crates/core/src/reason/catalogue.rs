//! Finds the entry of a reason in the files of the catalogue.

use crate::reason::{
    Entry, Reason, fails, fails_pod, fails_storage, hazard, looks_covered, not_covered,
    not_covered_controller, predicted, unknown, with_reasons,
};

macro_rules! entries {
    ($($name:ident $code:literal $module:ident::$entry:ident,)*) => {
        impl Reason {
            /// Returns the catalogue's entry for the reason.
            pub fn entry(self) -> &'static Entry {
                match self { $(Self::$name => &$module::$entry,)* }
            }
        }
    };
}

with_reasons!(entries);
