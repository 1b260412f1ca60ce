//! Services that are shared, behind `dyn`, named for other languages, and made of methods that do not wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rpc_downstream::{
    DynKiosk, DynMachine, Kiosk, KioskClient, KioskServer, Machine, MachineClient, MachineServer,
    SoldOut,
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::site::on_both;

#[derive(Debug)]
struct Stand(AtomicU32);

type Left = BTreeMap<String, Vec<Option<(u32, Result<String, u8>)>>>;

impl Kiosk for Stand {
    async fn sell_paper(&self, paper_title: &str, how_many: Option<u32>) -> Result<Left, SoldOut> {
        let how_many = how_many.unwrap_or(1);
        let sold = |left: u32| left.checked_sub(how_many);
        let before = (self.0)
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, sold)
            .map_err(|_| SoldOut(paper_title.to_owned()))?;
        let left = vec![Some((before - how_many, Ok("papers".to_owned())))];
        Ok(BTreeMap::from([(paper_title.to_owned(), left)]))
    }
}

impl Machine for Stand {
    fn model(&self) -> String {
        "M1".into()
    }

    fn take_coin(&self, cents: u32) {
        self.0.fetch_add(cents, Ordering::SeqCst);
    }
}

/// Buys all papers at whatever kiosk it is.
async fn buy_all(kiosk: Arc<dyn DynKiosk>) -> (u32, SoldOut) {
    let mut bought = 0;
    loop {
        match kiosk.sell_paper("Times", None).await {
            Ok(_) => bought += 1,
            Err(error) => return (bought, error),
        }
    }
}

on_both! {
    async fn a_service_may_be_chosen_when_the_program_runs(site) {
        let descriptor = KioskClient::DESCRIPTOR;
        let (client, server) = site.client_and_server(&descriptor).await;
        let here = Arc::new(Stand(3.into()));
        let erased: Arc<dyn DynKiosk> = here.clone();
        let server = server.serve(KioskServer::from(erased.clone())).await.unwrap();
        let there: Arc<dyn DynKiosk> = Arc::new(KioskClient::new(&client));
        assert_eq!(there.has_title("Times").await, Ok(true));
        assert_eq!(buy_all(there).await, (3, SoldOut("Times".into())));
        here.0.store(2, Ordering::SeqCst);
        assert_eq!(buy_all(erased).await, (2, SoldOut("Times".into())));
        server.shutdown().await.unwrap();
    }

    async fn names_may_be_those_of_another_language(site) {
        let descriptor = KioskClient::DESCRIPTOR;
        let [sell, has] = descriptor.methods else { panic!("not two methods") };
        assert_eq!((sell.name, has.name), ("kiosk.sellPaper", "kiosk.hasTitle"));
        let arguments = sell.arguments.iter().map(|argument| (argument.name, argument.docs));
        let documented = [("paperTitle", "The title, as it is printed."), ("howMany", "")];
        assert_eq!(arguments.collect::<Vec<_>>(), documented);
        let (client, server) = site.client_and_server(&descriptor).await;
        let server = server.serve(KioskServer::new(Stand(3.into()))).await.unwrap();
        let sold = client.call(sell.name, json!({"paperTitle": "Post", "howMany": 2})).await;
        assert_eq!(sold, Ok(json!({"Post": [[1, {"Ok": "papers"}]]})));
        server.shutdown().await.unwrap();
    }

    async fn a_method_need_not_wait(site) {
        let descriptor = MachineClient::DESCRIPTOR;
        let (client, server) = site.client_and_server(&descriptor).await;
        let shared = Arc::new(Stand(0.into()));
        let erased: Arc<dyn DynMachine> = shared.clone();
        assert_eq!(erased.model(), "M1");
        let server = server.serve(MachineServer::from(erased)).await.unwrap();
        let machine = MachineClient::new(&client);
        assert_eq!(machine.model().await, Ok("M1".into()));
        machine.take_coin(5).await.unwrap();
        let taken = async {
            while shared.0.load(Ordering::SeqCst) < 5 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(10), taken).await.unwrap();
        server.shutdown().await.unwrap();
    }
}
