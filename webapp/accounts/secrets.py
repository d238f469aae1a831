"""Makes and recognises API keys, login links and invitation tokens.

Called by the API, the shell and ``DenyByDefault``. A token has 256 random bits; what is stored is its HMAC under the
pepper, a secret of its own that lies beside the database and not in it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from webapp.accounts.models import ApiKey, LoginLink, User

KEY_START = "dsk_"
PREFIX_LENGTH = 12
LINK_LIFETIME = timedelta(hours=24)
LAST_USED_EVERY = timedelta(minutes=1)


def keyed_hash(token: str) -> str:
    """What is stored of a token."""
    return hmac.new(settings.KEY_PEPPER.encode(), token.encode(), hashlib.sha256).hexdigest()


def new_token() -> str:
    """256 random bits that fit into a URL."""
    return secrets.token_urlsafe(32)


def create_key(user: User, name: str) -> tuple[ApiKey, str]:
    """A new API key and its text, which nobody can see again."""
    lookup = secrets.token_hex((PREFIX_LENGTH - len(KEY_START)) // 2)
    text = f"{KEY_START}{lookup}_{new_token()}"
    key = ApiKey.objects.create(user=user, name=name, prefix=text[:PREFIX_LENGTH], key_hash=keyed_hash(text))
    return key, text


def user_of_key(text: str) -> User | None:
    """Who this API key belongs to; None when it is unknown, revoked or its owner was locked out."""
    if not text.startswith(KEY_START) or len(text) > 100:
        return None
    key = ApiKey.objects.select_related("user").filter(prefix=text[:PREFIX_LENGTH]).first()
    if key is None or not hmac.compare_digest(key.key_hash, keyed_hash(text)) or not key.user.is_active:
        return None
    now = timezone.now()
    if key.last_used is None or now - key.last_used > LAST_USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used=now)
    return key.user


def create_link(user: User) -> str:
    """The token of a new one-time login link."""
    token = new_token()
    LoginLink.objects.create(user=user, token_hash=keyed_hash(token), expires=timezone.now() + LINK_LIFETIME)
    return token


def redeem_link(token: str) -> User | None:
    """Use a login link up; None when it is unknown, expired or used already.

    One conditional UPDATE decides, so two browsers that open it together cannot both get in.
    """
    now = timezone.now()
    link = LoginLink.objects.filter(token_hash=keyed_hash(token), expires__gt=now, user__is_active=True).first()
    if link is None or not LoginLink.objects.filter(pk=link.pk, used=None).update(used=now):
        return None
    return link.user
