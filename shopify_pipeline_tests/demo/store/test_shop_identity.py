"""Each simulated shop is one of its own, and stays the one that it was."""

from pathlib import Path

from shopify_pipeline.demo.store.identifiers import DEMO_SHOP_ID
from shopify_pipeline.demo.store.seeding import Size, fill
from shopify_pipeline.demo.store.store import Settings, Store


def test_shops_have_ids_of_their_own_that_are_the_same_at_every_start() -> None:
    demo, other = Settings(), Settings(shop="other-store")
    assert demo.shop_id == DEMO_SHOP_ID == 77_046_218_921
    assert other.shop_id != demo.shop_id
    assert other.shop_id == Settings(shop="Other-Store.myshopify.com").shop_id == 82_225_409_593


def opened_id(directory: Path, shop: str) -> int:
    store = Store(settings=Settings(shop=shop), directory=directory)
    found = store.settings.shop_id
    store.database.close()
    return found


def test_a_kept_store_keeps_its_id(tmp_path: Path) -> None:
    begun = opened_id(tmp_path, "other-store")
    assert begun == Settings(shop="other-store").shop_id
    assert opened_id(tmp_path, "third-store") == begun


def test_a_store_from_before_ids_followed_the_domain_keeps_its_id(tmp_path: Path) -> None:
    store = Store(settings=Settings(shop="other-store"), directory=tmp_path)
    fill(store, seed=7, size=Size(1, 1, 1))
    store.database.execute("DELETE FROM facts WHERE name = 'shop_id'")
    store.database.close()
    assert opened_id(tmp_path, "other-store") == DEMO_SHOP_ID
