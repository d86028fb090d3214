"""The pages, one blueprint for each area."""

from __future__ import annotations

from flask import Flask, Response

from demo_app.views import (
    auth,
    customers,
    dashboard,
    invoices,
    orders,
    products,
    reports,
    search,
    setup,
    tickets,
)


def init_app(app: Flask) -> None:
    for module in (auth, dashboard, customers, products, orders, invoices, tickets, reports, search, setup):
        app.register_blueprint(module.blueprint)

    @app.after_request
    def harden(response: Response) -> Response:
        # Everything comes from this very server, so nothing else needs to be allowed.
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'",
        )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response
