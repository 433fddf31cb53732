"""Resolvers of `schema.graphql`, one module per noun."""
