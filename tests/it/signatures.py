"""Signs what providers send with the providers' own libraries; prints one JSON object a line."""

import datetime
import json
import random

from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook
from twilio.request_validator import RequestValidator

random.seed(20261126)
LETTERS = "abcXYZ019 +&=%?/\\\"'<>{}\n\t|äßñéЖ中文👍"
NOW = 1795687330


def words(most):
    return "".join(random.choice(LETTERS) for _ in range(random.randint(0, most)))


for round in range(100):
    token = "token%032x" % random.getrandbits(128)
    url = "https://desk.example/channels/sms" + random.choice(["", "?x=1", "?a=b&c=%C3%A4"])
    form = {"MessageSid": "SM%032x" % random.getrandbits(128), "Body": words(60), "From": "+1555010%04d" % round,
            "To": "+15550109999", words(6) or "Extra": words(10)}
    print(json.dumps({"kind": "twilio", "secret": token, "url": url, "form": form,
                      "signature": RequestValidator(token).compute_signature(url, form)}))
    body = json.dumps({"type": "event_callback", "text": words(80)}, ensure_ascii=round % 2 == 0)
    secret = "%032x" % random.getrandbits(128)
    print(json.dumps({"kind": "slack", "secret": secret, "at": NOW, "body": body,
                      "signature": SignatureVerifier(secret).generate_signature(timestamp=str(NOW), body=body)}))
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.datetime.fromtimestamp(NOW, tz=datetime.timezone.utc)
    print(json.dumps({"kind": "standard", "secret": key, "at": NOW, "id": f"msg_{round}", "body": body,
                      "signature": Webhook(key).sign(f"msg_{round}", at, body)}))
