//! A client of the shop, which knows the contract only.

use shop_contract::{Receipt, Shop, ShopError};

/// Orders as many as the money is enough for. It takes the client, the shop itself, or a test's double.
///
/// # Errors
///
/// If the shop refuses, or cannot be reached.
pub async fn spend(shop: &impl Shop, cents: u64, article: &str) -> Result<Receipt, ShopError> {
    let price = shop.price(article).await?;
    let pieces = cents.checked_div(price).unwrap_or_default();
    shop.order(article, u32::try_from(pieces).unwrap_or(u32::MAX))
        .await
}
