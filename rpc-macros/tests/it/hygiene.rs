//! What is generated names nothing that a user could have in scope, and adds no warnings to theirs.

#![no_implicit_prelude]
#![deny(warnings, missing_docs, clippy::pedantic)]
#![deny(unreachable_pub, unused_qualifications, missing_debug_implementations)]
#![deny(elided_lifetimes_in_paths, unnameable_types, single_use_lifetimes)]

/// Names that generated code must not take for those of the standard library.
mod shadows {
    #![allow(dead_code)]
    pub(crate) struct Result;
    pub(crate) struct Option;
    pub(crate) struct Vec;
    pub(crate) struct Box;
    pub(crate) struct Arc;
    pub(crate) struct String;
    pub(crate) struct Rpc;
    pub(crate) struct Call;
    pub(crate) struct Method;
    pub(crate) trait Future {}
    pub(crate) trait Send {}
    pub(crate) trait Sync {}
    pub(crate) trait Clone {}
    pub(crate) trait Debug {}
    pub(crate) trait Service {}
    pub(crate) trait Serialize {}
    pub(crate) trait Deserialize {}
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod serde {}
    pub(crate) mod rpc_core {}
}

mod names {
    #[allow(unused_imports)]
    use super::shadows::*;

    /// The error of a method.
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct Refused;

    impl ::core::fmt::Display for Refused {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.write_str("refused")
        }
    }

    /// A type named as generated code might name a type parameter or the arguments.
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct S;

    /// See [`S`].
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    pub(super) struct Args {
        pub(super) args: u8,
    }

    #[::rpc_core::rpc_service]
    pub(super) trait Names {
        #[expect(clippy::too_many_arguments)]
        async fn locals(
            &self,
            args: u8,
            rpc: u8,
            self_: u8,
            service: u8,
            method: u8,
            name: u8,
            handler: u8,
        ) -> u8;

        async fn words(&self, r#type: u8, r#async: u8) -> u8;

        async fn r#match(&self, r#in: Args) -> Args;

        async fn types(&self, s: S, args: Args) -> S;

        async fn nothing(&self);

        async fn one_each(&self) -> ::core::result::Result<(), Refused>;

        async fn with_body(&self, args: u8) -> u8 {
            if args > 0 {
                return self.words(args, args).await;
            }
            args
        }
    }

    #[derive(::core::fmt::Debug)]
    pub(super) struct Named;

    impl Names for Named {
        async fn locals(
            &self,
            args: u8,
            rpc: u8,
            self_: u8,
            service: u8,
            method: u8,
            name: u8,
            handler: u8,
        ) -> u8 {
            args + rpc + self_ + service + method + name + handler
        }

        async fn words(&self, r#type: u8, r#async: u8) -> u8 {
            r#type + r#async
        }

        async fn r#match(&self, r#in: Args) -> Args {
            Args {
                args: r#in.args + 1,
            }
        }

        async fn types(&self, s: S, _args: Args) -> S {
            s
        }

        async fn nothing(&self) {}

        async fn one_each(&self) -> ::core::result::Result<(), Refused> {
            ::core::result::Result::Err(Refused)
        }
    }
}

/// A trait may be named as a type parameter of the server would be.
mod one_letter {
    #[::rpc_core::rpc_service]
    pub(super) trait S {
        async fn s(&self, s: u8) -> u8;
    }

    #[derive(::core::fmt::Debug)]
    pub(super) struct Echo;

    impl S for Echo {
        async fn s(&self, s: u8) -> u8 {
            s
        }
    }
}

/// Traits may be private, and of one only the client, or the server, or neither be used.
mod unused {
    #[::rpc_core::rpc_service]
    trait Neither {
        async fn neither(&self);
    }

    #[::rpc_core::rpc_service]
    trait Empty {}

    #[::rpc_core::rpc_service]
    trait Called {
        async fn called(&self);
    }

    #[::rpc_core::rpc_service]
    trait Served {
        async fn served(&self);
    }

    struct Server;

    impl Served for Server {
        async fn served(&self) {}
    }

    pub(super) fn call(rpc: &::rpc_core::Rpc) -> ::rpc_core::Call<()> {
        CalledClient::new(rpc).called()
    }

    pub(super) fn serve() -> impl ::rpc_core::Service {
        ServedServer::new(Server)
    }
}

/// A deprecated service warns those who use it, and not for its own glue.
#[allow(deprecated)]
mod deprecated {
    pub(super) fn client(rpc: &::rpc_core::Rpc) -> ::rpc_core::Call<()> {
        super::OldClient::new(rpc).old()
    }
}

/// An old type.
#[deprecated]
#[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
pub struct OldTool;

#[allow(deprecated)]
impl ::core::fmt::Display for OldTool {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("old")
    }
}

/// An old service.
#[deprecated]
#[::rpc_core::rpc_service]
pub trait Old {
    /// An old method.
    #[deprecated]
    async fn old(&self);

    /// A method whose names and types need leave.
    #[allow(deprecated, non_snake_case)]
    async fn Leave(&self, Tool: OldTool) -> ::core::result::Result<OldTool, OldTool>;

    /// A method that is not there.
    #[cfg(any())]
    async fn absent(&self) -> Absent;
}

/// What is allowed to a trait, or expected of a method, is allowed to all that is made of them.
#[allow(non_snake_case)]
#[::rpc_core::rpc_service]
pub trait Loud {
    /// Says a word loudly.
    async fn Shout(&self, Word: u8) -> ::core::result::Result<u8, ::std::string::String>;

    /// Says several.
    async fn ShoutAll(&self, Words: &[u8], #[serde(default)] Pause: u8);
}

/// The same within a `cfg_attr`, also where what is there is a condition.
#[cfg_attr(all(), allow(non_snake_case))]
#[::rpc_core::rpc_service]
pub trait Hedged {
    /// A method that is there.
    #[cfg_attr(all(), cfg(all()), deprecated, must_use)]
    async fn There(&self, Word: u8) -> ::core::result::Result<u8, ::std::string::String>;

    /// One whose name, error and queue need leave.
    #[cfg_attr(all(), cfg_attr(all(), allow(deprecated, non_snake_case)))]
    #[rpc(queue = old_queue())]
    #[cfg(not(any()))]
    async fn Queued(&self, Tool: OldTool) -> ::core::result::Result<OldTool, OldTool>;

    /// One that is not there.
    #[cfg_attr(all(), cfg_attr(all(), cfg(any())))]
    async fn gone(&self) -> Absent;
    /// One that is there twice, once.
    #[cfg_attr(all(), cfg(any()))]
    async fn twice(&self, a: Absent);
    /// The other.
    #[cfg_attr(any(), cfg(any()))]
    async fn twice(&self, a: u8) -> ::core::result::Result<u8, ::std::string::String>;
}

#[deprecated]
fn old_queue() -> ::rpc_core::QueueOptions {
    <::rpc_core::QueueOptions as ::core::default::Default>::default()
}

/// Neither need an argument be used.
#[::rpc_core::rpc_service]
pub trait Quiet {
    /// Says nothing.
    #[expect(non_snake_case)]
    async fn Whisper(&self, Word: u8, #[serde(default)] Pause: u8);

    /// Does nothing.
    async fn hush(&self, _words: u8, #[serde(default)] _pause: u8) {}

    /// Does no more.
    async fn hush_again(&self, _words: &u8) {}
}

/// A service that comes out of `macro_rules!`, so with types in invisible groups and hygienic names.
macro_rules! service {
    ($name:ident, $method:ident, $arg:ident: $ty:ty, $returns:ty) => {
        #[::rpc_core::rpc_service]
        trait $name {
            async fn $method(&self, $arg: $ty, other: $ty) -> $returns;

            async fn with_body(&self, arg: $ty) -> $ty {
                let _ = self;
                arg
            }
        }
    };
}
service!(Made, make, local: u8, ::core::result::Result<u8, names::Refused>);

impl Made for names::Named {
    async fn make(&self, a: u8, b: u8) -> ::core::result::Result<u8, names::Refused> {
        ::core::result::Result::Ok(a + b)
    }
}

#[::tokio::test(crate = "::tokio")]
async fn services_with_awkward_names_work() {
    use ::core::assert_eq;
    use ::core::result::Result::Ok;
    use names::{Args, Names, NamesClient, NamesServer};

    let rpc = ::rpc_core::Rpc::connect("memory://").await.unwrap();
    let server = NamesServer::new(names::Named);
    assert_eq!(::std::format!("{server:?}"), "NamesServer { .. }");
    let server = rpc.serve(server).await.unwrap();
    let client = NamesClient::new(&rpc);
    assert_eq!(client.locals(1, 2, 3, 4, 5, 6, 7).await, Ok(28));
    assert_eq!(client.words(1, 2).await, Ok(3));
    assert_eq!(client.r#match(Args { args: 1 }).await.unwrap().args, 2);
    client.types(names::S, Args { args: 1 }).await.unwrap();
    client.nothing().await.unwrap();
    client.one_each().await.unwrap_err();
    assert_eq!(client.with_body(2).await, Ok(4));
    assert_eq!(Names::with_body(&names::Named, 0).await, 0);
    server.shutdown().await.unwrap();
}

#[::tokio::test(crate = "::tokio")]
async fn services_in_odd_places_work() {
    use ::core::assert_eq;
    use ::core::result::Result::Ok;

    #[::rpc_core::rpc_service]
    trait Inner {
        async fn inner(&self, x: u8) -> u8;
    }

    struct Double;
    impl Inner for Double {
        async fn inner(&self, x: u8) -> u8 {
            2 * x
        }
    }

    let rpc = ::rpc_core::Rpc::connect("memory://").await.unwrap();
    let servers = [
        rpc.serve(InnerServer::new(Double)).await.unwrap(),
        rpc.serve(MadeServer::new(names::Named)).await.unwrap(),
        rpc.serve(one_letter::SServer::new(one_letter::Echo))
            .await
            .unwrap(),
        rpc.serve(unused::serve()).await.unwrap(),
    ];
    assert_eq!(InnerClient::new(&rpc).inner(4).await, Ok(8));
    assert_eq!(MadeClient::new(&rpc).make(1, 2).await.unwrap(), 3);
    assert_eq!(one_letter::SClient::new(&rpc).s(3).await, Ok(3));
    ::core::mem::drop((unused::call(&rpc), deprecated::client(&rpc)));
    for server in servers {
        server.shutdown().await.unwrap();
    }
}
