"""The providers: one call in, one answer or one error out, whatever the provider's dialect."""
