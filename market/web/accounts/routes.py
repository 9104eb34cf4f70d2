"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.accounts import (
    account,
    approvals,
    audit,
    channels,
    delegations,
    joining,
    members,
    my_data,
    notices,
    organisation,
    people,
    phone_changes,
    recovery,
    second_factor,
    signin,
    tokens,
)

routes: list[ControllerRouterHandler] = [
    *account.routes,
    *approvals.routes,
    *audit.routes,
    *channels.routes,
    *delegations.routes,
    *joining.routes,
    *members.routes,
    *my_data.routes,
    *notices.routes,
    *organisation.routes,
    *people.routes,
    *phone_changes.routes,
    *recovery.routes,
    *second_factor.routes,
    *signin.routes,
    *tokens.routes,
]
