"""Tickets: list, one ticket, write, close and open again."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from demo_app.clock import utcnow
from demo_app.extensions import db
from demo_app.forms import TicketForm
from demo_app.models import Customer, Ticket, TicketState
from demo_app.views.helpers import escaped_like, members_only, page_of, query_text

blueprint = Blueprint("tickets", __name__, url_prefix="/tickets")
members_only(blueprint)

FILTERS = ("mine", *TicketState)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    query = (
        select(Ticket)
        .outerjoin(Ticket.customer)
        .options(joinedload(Ticket.customer), joinedload(Ticket.owner))
    )
    state, text = request.args.get("state", ""), query_text()
    if state == "mine":
        query = query.where(Ticket.owner_id == current_user.id, Ticket.state != TicketState.CLOSED)
    elif state in FILTERS:
        query = query.where(Ticket.state == state)
    if text:
        pattern = escaped_like(text)
        columns = (Ticket.subject, Ticket.body, Customer.name)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    page = page_of(query.order_by(Ticket.created_at.desc(), Ticket.id.desc()))
    return render_template("tickets/index.html", page=page, q=text, state=state, filters=FILTERS)


@blueprint.get("/<int:ticket_id>")
def show(ticket_id: int) -> ResponseReturnValue:
    return render_template("tickets/show.html", ticket=db.get_or_404(Ticket, ticket_id))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _edit(Ticket(state=TicketState.OPEN))


@blueprint.route("/<int:ticket_id>/edit", methods=["GET", "POST"])
def edit(ticket_id: int) -> ResponseReturnValue:
    return _edit(db.get_or_404(Ticket, ticket_id))


def _edit(ticket: Ticket) -> ResponseReturnValue:
    form = TicketForm(obj=ticket)
    if form.validate_on_submit():
        form.populate_obj(ticket)
        _note_time(ticket)
        db.session.add(ticket)
        db.session.commit()
        flash(gettext("The ticket is saved."), "success")
        return redirect(url_for(".show", ticket_id=ticket.id))
    return render_template("tickets/edit.html", form=form, ticket=ticket)


@blueprint.post("/<int:ticket_id>/<any(close, reopen, take):step>")
def change(ticket_id: int, step: str) -> ResponseReturnValue:
    ticket = db.get_or_404(Ticket, ticket_id)
    if step == "take":
        ticket.owner_id = current_user.id
    else:
        ticket.state = TicketState.CLOSED if step == "close" else TicketState.OPEN
        _note_time(ticket)
    db.session.commit()
    done = {
        "take": gettext("The ticket is yours."),
        "close": gettext("The ticket is closed."),
        "reopen": gettext("The ticket is open again."),
    }
    flash(done[step], "success")
    return redirect(url_for(".show", ticket_id=ticket_id))


def _note_time(ticket: Ticket) -> None:
    """Keep when a ticket was closed."""
    if ticket.state != TicketState.CLOSED:
        ticket.closed_at = None
    elif ticket.closed_at is None:
        ticket.closed_at = utcnow()
