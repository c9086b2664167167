"""No sexual wording in a body."""

from draftctl.gates.base import rule, rules_gate

_RULES = (
    rule(
        "words",
        r"sex(?:y|ual\w*|ting|ts?|ed|xx*)?|porn\w*|nudes?|naked|nudity|topless|orgasm\w*|climax\w*|erotic\w*|horny|aroused?|arousing|turn(?:ed|s|ing)? (?:me|you) on|cum+(?:ming|s)?|masturbat\w*|foreplay|intercourse|condoms?|oral|anal|genital\w*|penis|vagina|clit\w*|boobs?|tits?|titties|breasts?|nipples?|pussy|dick|cock|balls deep|ass\b|butt ?hole|blow ?-?jobs?|hand ?-?jobs?|rim ?-?jobs?|suck(?:ing)? (?:you|your|it|me)|lick(?:ing)? (?:you|your|it|me)|spank\w*|moan\w*|wet for you|so hard for (?:me|you)|make love|making love|fuck\w*|screw you|bang(?:ing)? you|ride you|shag\w*|xxx|nsfw|lingerie|undress\w*|strip for|in (?:my|your) bed|between the sheets",
        unless=r"(?:summa|magna) cum|cum laude|pussy ?-?(?:willow|cat|foot)|oral (?:exams?|history|b|surgeon|hygiene)|(?:same|opposite) sex|sex(?:es)?ton|essex|sussex|middlesex|chicken breasts?|cock ?-?(?:tail|pit|y)\w*|climax of the (?:film|movie|book|story)|breakfast in (?:my|your) bed|naked (?:eye|truth)|moby dick|dick (?:van|tracy)|analog\w*",
    ),
    rule(
        "suggestive",
        r"(?:so|dripping|soaking|all) wet(?! (?:from|in|today|outside|out there|and cold|weather|dog))|inside (?:me|you)(?=[.!?,]|$)|(?:take|taking) off (?:your|my|our) (?:clothes|dress|shirt|underwear|bra|panties)|bareback|bb ?bj|touch(?:ing)? (?:myself|yourself)|tease you all night",
        unless=r"i am so wet from|joy inside (?:me|you)",
    ),
    rule(
        "other-languages",
        r"sexo\w*|desnud\w*|follar|coger(?:te)|culo|tetas|polla|cono\b|nackt\w*|ficken|bumsen|titten|muschi|schwanz|geil|baiser|nue?s?\b|chatte|bite\b|seins|baise\w*|nud[ao]\b|scopare|cazzo|tette|figa|nu[ao]s?\b|transar|foder|buceta|peitos|секс\w*|голая|голой|трах\w*|сиськ\w*|минет\w*|член\w*|sexe|seks\w*|nago",
        unless=r"\d+ bites?\b|a bite|bite (?:to|of|your|me)|grab a bite|quick bite|frost ?bite",
    ),
    rule("emoji", r"[🍆🍑💦]\s*[🍆🍑💦👅]|🔞|🖕", whole_words=False),
    rule("cjk", r"性爱|做爱|裸体|口交|セックス|裸|섹스", whole_words=False),
)

GATE = rules_gate("explicit", "Nothing sexual is ever put in writing.", version=2, body=_RULES)
