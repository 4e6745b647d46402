"""What a demonstration and the tests need besides the product: a store, a Postgres, a launcher."""
