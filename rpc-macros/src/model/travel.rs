//! Checks that types can travel: they must be owned and mean the same on both sides.

use syn::visit::{self, Visit};
use syn::{Lifetime, Path, Type, TypeImplTrait, TypeReference};

use crate::mistakes::Mistakes;

/// Checks the type of an argument that is passed by value, or the type that an argument borrows.
pub(super) fn check_arg(ty: &Type, mistakes: &mut Mistakes) {
    Traveller {
        what: "an argument",
        borrows: "borrows only as `&T`, `Option<&T>` or `Cow<'_, T>`, with no name for the lifetime: elsewhere write \
                  `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
        changes: "is a copy: write `T` for `&mut T`, and let the method return what it has changed",
        mistakes,
    }
    .visit_type(ty);
}

/// Checks the type that a method returns.
pub(super) fn check_returns(ty: &Type, mistakes: &mut Mistakes) {
    Traveller {
        what: "a returned value",
        borrows: "is owned: write `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`",
        changes: "is a copy: write `T` for `&mut T`",
        mistakes,
    }
    .visit_type(ty);
}

struct Traveller<'a> {
    what: &'static str,
    /// How it may borrow.
    borrows: &'static str,
    /// What to write instead of a mutable borrow.
    changes: &'static str,
    mistakes: &'a mut Mistakes,
}

impl Visit<'_> for Traveller<'_> {
    // The types inside a reference or an `impl` are not visited, so that one mistake is reported
    // once.

    fn visit_type_reference(&mut self, ty: &TypeReference) {
        let words = match ty.mutability {
            Some(_) => self.changes,
            None => self.borrows,
        };
        self.mistakes.push(ty, format!("{} {words}", self.what));
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        let message = format!("{} has a concrete type, not `impl Trait`", self.what);
        self.mistakes.push(ty, message);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.mistakes
                .push(lifetime, format!("{} {}", self.what, self.borrows));
        }
    }

    fn visit_path(&mut self, path: &Path) {
        match path.segments.first() {
            Some(first) if first.ident == "Self" => {
                let message = format!(
                    "{} has a concrete type: `Self` is another type in the client than in the server",
                    self.what
                );
                self.mistakes.push(first, message);
            }
            _ => visit::visit_path(self, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn travels(ty: &Type) -> bool {
        let mut mistakes = Mistakes::default();
        check_arg(ty, &mut mistakes);
        mistakes.none_or(()).is_ok()
    }

    #[test]
    fn owned_types_travel() {
        assert!(travels(&parse_quote!(u8)));
        assert!(travels(&parse_quote!(Vec<(my::Item, [u8; 4])>)));
        assert!(travels(&parse_quote!(Cow<'static, str>)));
    }

    #[test]
    fn types_that_borrow_do_not_wherever_it_is_written() {
        assert!(!travels(&parse_quote!(&u8)));
        assert!(!travels(&parse_quote!(&'static str)));
        assert!(!travels(&parse_quote!(Vec<Option<&str>>)));
        assert!(!travels(&parse_quote!(Cow<'_, str>)));
        assert!(!travels(&parse_quote!(Box<dyn Fn(&str)>)));
    }

    #[test]
    fn types_that_depend_on_the_side_do_not() {
        assert!(!travels(&parse_quote!(Self)));
        assert!(!travels(&parse_quote!(Option<Self::Item>)));
        assert!(!travels(&parse_quote!(<Self as Stock>::Item)));
        assert!(!travels(&parse_quote!([u8; Self::SIZE])));
        assert!(!travels(&parse_quote!(Vec<impl Sized>)));
    }
}
