// Keeps the payer's page live; without it the page is complete, and current when it is loaded.
