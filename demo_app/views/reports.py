"""The report: revenue, open balances, best sellers."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from demo_app import reports
from demo_app.clock import today
from demo_app.views.dashboard import revenue_chart
from demo_app.views.helpers import members_only

blueprint = Blueprint("reports", __name__, url_prefix="/reports")
members_only(blueprint)

PERIODS = (6, 12, 18)


@blueprint.get("/")
def show() -> ResponseReturnValue:
    now = today()
    count = request.args.get("months", 18, type=int)
    count = count if count in PERIODS else PERIODS[-1]
    months = reports.revenue_by_month(now, count)
    return render_template(
        "report.html",
        months=months,
        count=count,
        periods=PERIODS,
        chart=revenue_chart(months),
        open=reports.open_balance(now),
        debtors=reports.open_by_customer(now),
        products=reports.top_products(now - timedelta(days=365)),
    )
