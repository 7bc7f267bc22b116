"""Sign-in as both describe it: code with PKCE, refresh; everybody says yes."""

import base64
import hashlib
import json
import secrets
import urllib.parse

from .server import Answer


class SignIn:
    def __init__(self):
        self.codes, self.scopes = {}, {}

    def answer(self, ask):
        if ask.path.endswith("/authorize") or ask.path.endswith("/auth"):
            code = secrets.token_urlsafe(20)
            self.codes[code] = (ask.one("code_challenge"), ask.one("redirect_uri"), ask.one("scope"))
            query = urllib.parse.urlencode({"state": ask.one("state"), "code": code, "scope": ask.one("scope")})
            return Answer(302, None, {"Location": f"{ask.one('redirect_uri')}?{query}"})
        form = dict(urllib.parse.parse_qsl(ask.body.decode()))
        if form.get("grant_type") == "authorization_code":
            challenge, redirect, scope = self.codes.pop(form["code"])
            seen = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
            if seen != challenge or form["redirect_uri"] != redirect:
                return Answer(400, {"error": "invalid_grant", "error_description": "PKCE"})
        elif form.get("refresh_token") in self.scopes:
            scope = self.scopes[form["refresh_token"]]
        else:
            return Answer(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        refresh = form.get("refresh_token") or secrets.token_urlsafe(40)
        self.scopes[refresh] = scope
        claims = base64.urlsafe_b64encode(json.dumps({"sub": "1", "oid": "1", "tid": "2", "email": "ada@example.org"}).encode())
        return Answer(200, {
            "access_token": secrets.token_urlsafe(60), "expires_in": 3599, "token_type": "Bearer", "scope": scope,
            "refresh_token": refresh, "id_token": f"e30.{claims.rstrip(b'=').decode()}.x",
        })
