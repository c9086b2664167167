"""No way to pay in writing: money, how it is sent, and what is asked for in advance."""

from draftctl.gates.base import rule, rules_gate

_RULES = (
    rule(
        "channel",
        r"venmo\w*|zelle\w*|zele|zell|cash ?-?app\w*|c ?ash ?app|pay ?-?pal\w*|(?:apple|google|samsung|amazon|ali|wechat) ?-?pay|g ?pay|revolut|skrill|neteller|payoneer|western union|money ?-?gram|bizum|twint|klarna|swish|mobile ?pay|paysafe\w*|m ?-?pesa|interac|e ?-?transfer\w*|wise transfer|transferwise|only ?fans|cash ?tag|\$cashtag",
        r"bitcoins?|btc|crypto\w*|ethereum|usdt|tether|litecoin|monero|xmr|wallet address|blockchain",
        r"(?:gift|visa|amazon|itunes|steam|prepaid|vanilla|google play) ?-?cards?(?! (?:shop|store aisle))|vouchers?|money orders?|wire (?:transfer|me|the|it|money)|wired (?:me|the|it|money)|bank (?:transfer|details|account|wire)|direct deposit|iban|swift code|routing number|account number|sort code",
        r"credit ?-?cards?|debit ?-?cards?|card number|cvv|invoices?(?! of life)",
    ),
    rule(
        "cards-and-tips",
        r"c ?[@a] ?[s$] ?h only|на карту|tips? (?:are|is) (?:welcome|appreciated|expected|included)|visa (?:works|card|is fine|and|or|only)|master ?cards?|amex|american express|ven mo|card (?:only|works|is fine|payments?)|tarjetas?(?: de (?:credito|debito))?|cart(?:a|e|ao) (?:di credito|bancaire|de credito|bancaria|bleue)|kreditkarte\w*|kartenzahlung|barzahlung|vorauszahlung|in bar|acconto|geld",
        unless=r"in bar(?:celona|bados)|visa (?:office|application|interview|for)|geld spielt keine rolle",
    ),
    rule(
        "pay-word",
        r"pay|pays|paying|paid|payments?|payable|prepay\w*|pre ?-?paid|repay|deposits?|down ?-?payment|advance payment|in advance fee|upfront|up ?-?front|money|cash|banknotes?|envelopes?|refund\w*|transfer (?:the|it|me|some|half|money|to)|send (?:me )?(?:half|the rest|\d+|some money|something first)|(?:leave|a|your|the|generous|big|nice) tips?\b|tip (?:me|is|jar|generously)|tipping|funds|settle (?:up|the|beforehand)|half (?:now|up ?front|in advance)",
        unless=r"(?:it|that) pays (?:to|off)|money (?:plant|tree|heist|laundering)|deposit (?:my|your|the) (?:coat|bag|umbrella|luggage)|(?:thank you|thanks) for (?:the|your) tip|cash (?:cow|mere|ew)|invoice of life|pa(?:y|ys|ying|id) (?:\w+\s+)?(?:attention|a visit|a compliment|no mind|heed|tribute|respects?|off)\b|paid off|pay it forward|cash in on|in the envelope of|push the envelope|pay(?:s|ing)? you a (?:compliment|visit)|(?:safety|travel|a|one|quick|small|little|my|best|insider|the) tips? (?:for|about|on|of the (?:iceberg|tongue)|from)|tip of (?:my|the)|up ?-?front (?:about|with|and honest)|upfront (?:about|with|and honest)|money can'?t buy|for my money|funds? of",
    ),
    rule(
        "other-languages",
        r"pag(?:ar|o|a|ame|ue|as|amento|are|hi|amenti)|efectivo|transferencia|dinero|adelanto|anticip[oa]|zahl(?:en|st|t|ung|bar)|bezahl\w*|bargeld|uberweis\w*|anzahlung|geld|vorkasse|pay(?:er|ez|e|es)|paiement|virement|especes|acompte|argent|bonifico|contanti|soldi|caparra|dinheiro|transferir|sinal|pix|оплат\w*|плат[иеё]\w*|перевод\w*|наличн\w*|деньг\w*|предоплат\w*|аванс\w*|platnosc\w*|zaplac\w*|gotowk\w*|przelew\w*|odeme|nakit",
        unless=r"um sinal (?:de|da)",
    ),
    rule("cjk", r"支付|转账|付款|微信支付|支付宝|現金|振込|支払|입금|결제", whole_words=False),
)

GATE = rules_gate("payment", "No way of paying is ever put in writing.", body=_RULES)
