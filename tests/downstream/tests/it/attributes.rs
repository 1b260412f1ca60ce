//! Attributes of services and methods, and what the descriptors say of all that is written.

use std::time::Duration;

use rpc_downstream::wire::{QueueOptions, ServiceDescriptor};
use rpc_downstream::{
    BankClient, ClockClient, DeskClient, DiaryClient, Museum, MuseumClient, MuseumServer,
    PostClient, PressClient, ShelfClient,
};

use crate::site::on_both;

struct Old;

impl Museum for Old {
    async fn open(&self) -> bool {
        true
    }

    #[allow(non_snake_case, reason = "the trait says so")]
    async fn Show(&self, Number: u32) -> String {
        format!("thing {Number}")
    }

    #[allow(
        clippy::many_single_char_names,
        reason = "visitors say all that they know"
    )]
    async fn find(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u64 {
        [a, b, c, d, e, f, g, h].into_iter().map(u64::from).sum()
    }
}

#[expect(deprecated, reason = "whoever implements an old service is warned")]
#[allow(non_snake_case, reason = "the trait says so")]
impl rpc_downstream::Annex for Old {
    async fn Last(&self, Thing: u8) -> String {
        format!("brick {Thing}")
    }
}

on_both! {
    async fn attributes_are_those_of_all_that_is_made(site) {
        let (client, server) = site.client_and_server(&MuseumClient::DESCRIPTOR).await;
        server.serve(MuseumServer::new(Old)).await.unwrap();
        let museum = MuseumClient::new(&client);
        assert_eq!((museum.open().await, museum.closes("Monday").await), (Ok(true), Ok(18)));
        #[expect(deprecated, reason = "whoever calls an old method is warned")]
        let fee = museum.fee();
        assert_eq!(fee.await, Ok(0));
        assert_eq!(museum.Show(3).await.unwrap(), "thing 3");
        assert_eq!(museum.find(1, 2, 3, 4, 5, 6, 7, 8).await, Ok(36));
        #[cfg(not(feature = "annex"))]
        assert_eq!(museum.annex().await, Ok([]));
        #[cfg(feature = "annex")]
        assert_eq!(museum.annex().await, Ok([rpc_downstream::Relic { year: 1066 }]));
        assert_eq!(museum.cellar().await, Ok(1));
    }

    async fn a_deprecated_service_works_and_warns(site) {
        #[expect(deprecated, reason = "whoever uses an old service is warned")]
        let (annex, server, descriptor) = {
            use rpc_downstream::{AnnexClient, AnnexServer};
            let rpc = site.rpc().await;
            (AnnexClient::new(&rpc), rpc.serve(AnnexServer::new(Old)), AnnexClient::DESCRIPTOR)
        };
        site.uses("", &descriptor).await;
        server.await.unwrap();
        assert_eq!(annex.Last(2).await.unwrap(), "brick 2");
    }
}

#[cfg(feature = "annex")]
mod annex {
    use rpc_downstream::{Guide, GuideClient, GuideServer, Relic};

    use crate::site::on_both;

    struct Volunteer;

    impl Guide for Volunteer {}

    on_both! {
        async fn a_service_may_be_there_with_a_feature_only(site) {
            let (client, server) = site.client_and_server(&GuideClient::DESCRIPTOR).await;
            server.serve(GuideServer::new(Volunteer)).await.unwrap();
            let age = GuideClient::new(&client).age(Relic { year: 1066 }, 2000);
            assert_eq!(age.await, Ok(934));
        }
    }
}

/// A descriptor is a constant.
const PRESS: ServiceDescriptor = PressClient::DESCRIPTOR;

#[test]
fn a_descriptor_has_the_options_of_each_method() {
    assert_eq!(PRESS.name, "Printing press");
    let [print, rush, sheets, clean] = PRESS.methods else {
        panic!("{PRESS:?}");
    };
    assert_eq!((print.name, rush.name), ("press.print.v2", "press.rush"));
    assert_eq!(
        (print.options.priority, rush.options.priority),
        (None, Some(9))
    );
    assert_eq!((print.concurrency, sheets.concurrency), (Some(1), None));
    let queue = QueueOptions::default().argument("x-max-priority", 9);
    assert_eq!(print.queue.map(|queue| queue()), Some(queue));
    assert_eq!(
        (print.options.idempotent, sheets.options.idempotent),
        (false, true)
    );
    assert_eq!(sheets.options.timeout, Some(Duration::from_secs(90)));
    assert_eq!(clean.options.timeout, Some(Duration::from_millis(150)));
    let one_way = DiaryClient::DESCRIPTOR
        .methods
        .iter()
        .filter(|method| method.options.one_way);
    let one_way: Vec<_> = one_way.map(|method| method.name).collect();
    assert_eq!(one_way, ["diary.write", "diary.jot.down", "diary.squeeze"]);
}

#[test]
fn a_descriptor_has_the_documentation_as_it_is_written() {
    let museum = MuseumClient::DESCRIPTOR;
    let mut lines = museum.docs.lines();
    assert_eq!(
        (lines.next(), lines.next()),
        (Some("Shows old things."), Some(""))
    );
    assert_eq!(museum.methods[3].docs, "Shows a thing by its number.");
    assert_eq!(museum.methods.len(), 7);
}

/// What a tool makes of a service: the signatures, with the names that travel.
fn signatures(service: &ServiceDescriptor) -> Vec<String> {
    let methods = service.methods.iter().map(|method| {
        let arguments: Vec<_> = method
            .arguments
            .iter()
            .map(|arg| {
                format!(
                    "{}{}: {}",
                    arg.name,
                    if arg.optional { "?" } else { "" },
                    arg.ty
                )
            })
            .collect();
        format!(
            "{}({}) -> {}",
            method.name,
            arguments.join(", "),
            method.returns
        )
    });
    methods.collect()
}

#[test]
fn a_descriptor_has_the_types_as_they_are_written() {
    assert_eq!(
        signatures(&BankClient::DESCRIPTOR),
        [
            "bank.pay(to: &str, cents: u64) -> Result<u64>",
            "bank.balance() -> Result<u64>",
            "bank.pay_all(to: &[String], cents: u64) -> Result<u64>",
            "bank.entries() -> Result<Vec<Entry>>",
        ]
    );
    assert_eq!(
        signatures(&ClockClient::DESCRIPTOR),
        [
            "clock.time(town: &str) -> Option<u64>",
            "clock.set(town: &str, time: u64) -> Result<(), String>",
            "clock.strike() -> ()",
            "clock.towns() -> usize",
        ]
    );
    let desk = signatures(&DeskClient::DESCRIPTOR);
    assert_eq!(desk[0], "desk.ring() -> ()");
    assert_eq!(
        desk[3],
        "desk.admit(visitor: Visitor) -> core::result::Result<usize, Refusal>"
    );
    assert_eq!(desk[6], "desk.list() -> Vec<(char, [Vec<Visitor>; 1])>");
    let post = signatures(&PostClient::DESCRIPTOR);
    assert_eq!(
        post[3],
        "post.stamp(text: Cow<'_, str>, ink: Cow<'_, [u8]>, fixed: Cow<'static, str>) -> String"
    );
    assert_eq!(
        post[6],
        "post.sort(type: u8, in: &str, match?: Option<bool>) -> String"
    );
    assert_eq!(
        post[7],
        "post.price(weight: u32, express?: bool, class?: u8, from: &str, code: u32, to-country?: &str) -> String"
    );
    let shelf = signatures(&ShelfClient::<u8>::DESCRIPTOR);
    assert_eq!(shelf[0], "shelf.put(key: K, value: V) -> Option<V>");
    assert_eq!(shelf[2], "shelf.fill(pairs?: Vec<(K, V)>) -> usize");
}
