"""The quotation: what the takes to be sent will cost, as far as the provider and earlier batches tell."""

from __future__ import annotations

from wanbatch.clock import system_now
from wanbatch.provider.inquiry import inquire, not_asked
from wanbatch.provider.protocol import NoAnswer, Provider
from wanbatch.provider.remarks import Intent, remarks_of
from wanbatch.session.invocation import Invocation
from wanbatch.session.preview import Basis, Preview
from wanbatch.state.history import earlier_prices


async def preview_of(invocation: Invocation, basis: Basis, provider: Provider | None) -> Preview:
    """Say what a run would send and what it costs; asks the provider, if there is one, for prices and balance."""
    access, settings = invocation.access, basis.settings
    classes, distinct = basis.classes_to_submit, basis.classes_to_quote
    inquiry = not_asked(distinct, "wanbatch did not ask the provider (--offline)")
    if provider is not None and distinct:
        asked = sorted({*distinct, *basis.smaller_classes, *basis.every_class}, key=str)
        inquiry = await inquire(provider, asked, has_key=access.has_key)
    listed = inquiry.quotes
    told = {*basis.seen_prices, *(each for each, quote in listed.items() if quote.is_live)}
    is_told = told.issuperset(distinct)  # reading other batches takes time where they are large
    earlier = {} if is_told else earlier_prices(basis.output, access.address)
    quotes = basis.quote(listed, earlier)
    total = basis.estimate_of(basis.to_send, quotes)
    to_pay = {each: quotes[each] for each in dict.fromkeys(classes)}
    intent = Intent(sorted({each.model for each in classes}), total, settings.cap_credits is not None, to_pay)
    return Preview(
        batch=basis.batch,
        output=basis.output,
        plan=basis.plan,
        counts=basis.counts,
        to_submit={each: classes.count(each) for each in sorted(set(classes), key=str)},
        quotes=quotes,
        estimate=total,
        cap_credits=settings.cap_credits,
        balance_usd=None if isinstance(inquiry.balance_usd, NoAnswer) else inquiry.balance_usd,
        host=access.host,
        is_sandbox=access.is_embedded,
        speed=access.speed,
        scenes=basis.scenes(quotes),
        scene_caps=settings.scene_caps,
        before=basis.before,
        tries=settings.rates.max_attempts,
        pilot=invocation.options.pilot,
        lost=basis.lost,
        on_unknown=settings.on_unknown,
        remarks=remarks_of(inquiry, intent, system_now()) if classes else (),
        takes=tuple(basis.to_send),
        defaulted=basis.defaulted(listed, earlier, quotes),
        committed_by_scene=basis.committed_by_scene,
        is_play_money=access.is_sandbox,
        every_quote=basis.every_quote(listed, earlier),
        fallbacks=basis.fallback_costs(quotes),
        unready=tuple(basis.order.unready),
        successions=basis.successions(listed, earlier),
        longest=basis.longest_chain,
    )


def tell_detours(invocation: Invocation) -> None:
    """Tell which proxies lead to a provider that is not on this machine."""
    if not invocation.access.is_sandbox:
        for text in invocation.access.settings.detours:
            invocation.watch.notice(text)
