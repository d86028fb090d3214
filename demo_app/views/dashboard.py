"""The first page: how business stands. And the company's colours."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import login_required
from sqlalchemy import func, select

from demo_app import branding, charts, formatting, reports
from demo_app.clock import today, utcnow
from demo_app.extensions import db
from demo_app.models import Customer, Invoice, Status
from demo_app.settings import company

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
@login_required  # type: ignore[untyped-decorator]
def show() -> ResponseReturnValue:
    now = today()
    months = reports.revenue_by_month(now, 12)
    drafts = db.session.execute(
        select(func.count(Invoice.id), func.coalesce(func.sum(Invoice.total), Decimal(0))).where(
            Invoice.status == Status.DRAFT
        )
    ).one()
    recent = db.session.scalars(
        select(Invoice).order_by(Invoice.issued_on.desc(), Invoice.number.desc()).limit(6)
    )
    overdue = db.session.scalars(
        select(Invoice)
        .where(Invoice.is_overdue, Invoice.balance > 0)
        .order_by(Invoice.due_date, Invoice.id)
        .limit(6)
    )
    return render_template(
        "dashboard.html",
        today=now,
        now=utcnow(),
        open=reports.open_balance(now),
        months=months,
        drafts=drafts,
        customers=db.session.scalar(select(func.count(Customer.id))),
        recent=recent.all(),
        overdue=overdue.all(),
        chart=revenue_chart(months),
    )


def revenue_chart(months: list[reports.Month]) -> str:
    """Invoiced and received by month, as SVG."""
    return charts.bars(
        [formatting.short_month(m.month) for m in months],
        {gettext("invoiced"): [m.total for m in months], gettext("received"): [m.paid for m in months]},
        title=gettext("Invoiced and received in the last %(count)s months", count=len(months)),
        format_value=formatting.money,
        format_axis=formatting.round_money,
    )


@blueprint.get("/brand.css")
def brand() -> ResponseReturnValue:
    """The company's colour and type face; the style sheet proper is a static file."""
    response = Response(
        branding.stylesheet(company().accent_colour, company().heading_font), mimetype="text/css"
    )
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    return response.make_conditional(request)


@blueprint.get("/favicon.svg")
def favicon() -> ResponseReturnValue:
    """The company's letter on its colour."""
    svg = render_template("favicon.svg", colour=branding.readable_on(_accent(), "#ffffff"))
    return Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "private, max-age=300"})


def _accent() -> str:
    colour = company().accent_colour
    return colour if branding.HEX_COLOUR.fullmatch(colour) else branding.FALLBACK
