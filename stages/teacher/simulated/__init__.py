"""A program that makes typical mistakes on purpose, behind litellm's custom-provider interface."""
