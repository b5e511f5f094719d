"""WHERE: one file per URL: parse the query, ask a service, hand the answer to components.

``PAGES`` is the table of contents of the product. Pages import ``services`` and ``components`` only.
"""

from pages import (
    _missing,
    access,
    access_day,
    access_try,
    account,
    audit,
    audit_changes,
    audit_record,
    check,
    data,
    evidence,
    jobs,
    kpis,
    lead,
    leads,
    model_card,
    models,
    people,
    reviews,
    what_if,
)
from pages._screen import Page

PAGES: tuple[Page, ...] = (
    kpis.page,
    leads.page,
    lead.page,
    account.page,
    models.page,
    model_card.page,
    what_if.page,
    data.page,
    jobs.page,
    people.page,
    reviews.page,
    access.page,
    access_day.page,
    access_try.page,
    audit.page,
    audit_changes.page,
    evidence.page,
    audit_record.page,
    check.page,
)
MISSING: Page = _missing.page
