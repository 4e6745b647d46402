"""`python -m shopify_pipeline.webhooks`: the commands of webhooks, without the rest."""

from shopify_pipeline.webhooks.command import webhooks

webhooks()
