"""W&B's GraphQL API: `schema.graphql` declares it, one module per noun answers it."""

from server.graphql.context import Context
from server.graphql.engine import Answer, execute

__all__ = ["Answer", "Context", "execute"]
