"""Somebody else decides: control, debt, held papers, several persons on offer. A person must look; nothing is answered."""

from draftctl.gates.base import rule, rules_gate

_CONTROLLER = r"(?:he|she|they|someone|my (?:husband|boyfriend|bf|uncle|cousin|handler|manager|pimp|madam|man|guy|daddy)|this (?:man|guy)|the (?:man|guy|men|people|boss))"

_RULES = (
    rule(
        "made-to",
        rf"{_CONTROLLER} (?:makes?|made|is making|are making|keeps? making|forces?|forced|is forcing|are forcing|sells?|sold|is selling) (?:me|her|us|him|them|my sister|girls?)"
        r"(?! (?:laugh|smile|happy|feel|blush|crazy|think|late|wait|proud|nervous|want|breakfast|dinner|coffee|tea|lunch|a |an |the ))",
        r"(?:being|was|am|i'?m|were|been|get(?:ting)?) (?:forced|coerced|trafficked|pimped|sold|made) (?:to|into|out|by)(?! (?:order|measure|believe|last))",
        r"(?:enc|ret)errad[ao] (?:aqui|contra)|forc(?:ed|ing|es?) (?:me|her|us|him|them|girls?|women) (?:to|into)",
        r"(?:against|without) (?:my|her|their|our) (?:will|consent)",
        r"(?:do|does|did) (?:this|it) (?:against|because) (?:my|he|they) (?:will|make[s]?|force[s]?|made|forced)",
        r"i (?:have|had) no choice (?:he|they|but to do this|but to work)",
        unless=r"(?:nobody|no ?one|never) (?:ever )?(?:forces?|forced|makes?|made) me|(?:makes?|made) me (?:work out|exercise|eat|go to bed|take|do the|watch|try|feel|cook|wear|clean)|(?:keeps?|has|holds?) my passport in|forced to (?:cancel|move|wait|reschedule|stay (?:home|in)|take (?:the|a|my)|work (?:from home|late|overtime)|quit smoking|leave early)|(?:company|boss|job|work|employer|doctor|weather|airline) (?:forces?|forced|is forcing|makes?|made) (?:me|us)",
    ),
    rule(
        "not-free",
        rf"{_CONTROLLER} (?:won'?t|wont|doesn'?t|doesnt|don'?t|dont|will not|never|didn'?t) (?:let|allow) (?:me|her|us|them)(?: to)? (?:leave|go|out|call|have|talk|see|stop|quit|use|eat|sleep|keep)",
        r"(?:not|never|isn'?t|aren'?t|ain'?t|wasn'?t) (?:allowed|permitted|free) to (?:leave|go out|go home|go outside|quit|stop|say no|refuse|talk|call|keep (?:my|the|any))",
        r"(?:lock(?:ed|s|ing)?|trapped|kept|held|stuck|held captive|imprisoned) (?:me |us |her |up )?(?:in here|here|inside|in (?:a|the|this|my|his|their) (?:room|house|apartment|basement|place|hotel)|captive|hostage|against)",
        r"can'?t (?:get out|escape|get away from (?:him|them)|leave (?:him|them|this place))",
        r"help me (?:escape|get out of here|get away)|(?:need|want|trying|try) to (?:escape|get away from) (?:him|them|here|my)",
        rf"{_CONTROLLER}(?:'?s| is| are|'?re) (?:always )?(?:watching|listening to|tracking|guarding|reading|monitoring) (?:me|us|her|my)",
        rf"{_CONTROLLER} (?:hits?|beats?|hurts?|hit|beat|will hurt|will beat|will kill|'?ll (?:hurt|beat|kill)|threatens?|threatened) (?:me|her|us|my)",
        r"(?:hurt|kill|beat)(?:s|ing)? (?:me|her|my (?:family|kid|son|daughter|sister|mother)) if (?:i|she|we)",
        unless=r"(?:locked|stuck|held|kept|trapped) in here (?:until|till|for) (?:the|this|my) (?:meeting|call|class|session|shift|rain|lecture)|(?:locked|stuck|held|kept) (?:up |here |inside )?(?:in traffic|at work|in a meeting|on a train)|locked in (?:the|our|a) (?:time|date|plan)|not allowed to (?:park|smoke|drink)",
    ),
    rule(
        "controlled",
        r"(?:someone|somebody|he|she|they) (?:else )?(?:reads?|checks?|controls?) my (?:messages|texts|phone|mail) and|tells? me what to (?:write|say|do|answer)|can'?t leave,? (?:there is|there'?s|he|they|a man)|(?:a|the) man at the door|(?:send|give|lend|rent|offer) (?:you )?(?:one|two|some|any) of my girls|(?:she|they) belongs? to me|i (?:decide|control|choose) (?:who|what|where|when)? ?(?:she|they|her)|gives? me (?:all|everything|what) (?:she|they) (?:earns?|makes?)|t(?:oo|o)k my pas+port|(?:habe|haben|hab) (?:\w+ )?(?:madchen|frauen|girls) (?:fur dich|verfugbar|im angebot)|tengo (?:chicas|mujeres|ninas) (?:disponibles|para ti|nuevas)|j'?ai des filles (?:pour toi|disponibles)|ho (?:ragazze|delle ragazze) (?:per te|disponibili)|tenho (?:garotas|meninas) (?:para voce|disponiveis)|есть девочки для|(?:i'?m|i am|im|we are|she is|she'?s) (?:being )?(?:trapped|captive|imprisoned|enslaved|a prisoner|his prisoner|their prisoner|a slave|scared of (?:him|them|my))",
        r"(?:he|she|they) (?:locks?|lock) (?:me|her|us)|(?:he|she|they) controls? (?:everything|me|my|us|her)|(?:would|will|'?ll|to|gonna) deport me|(?:he|she|they) threaten\w* (?:to|me|us|my)",
        r"(?:need|want|please|i need) (?:your )?help (?:me )?(?:getting|to get) (?:away|out)|help me (?:please )?i(?:'?m| am) trapped",
        r"(?:she|they|he) (?:has|have) no choice|i own (?:her|them|him|these girls)|(?:she|they) can'?t say no|(?:she|they)(?:'?s| is| are|'?re)? (?:scared|afraid|terrified) of me|but (?:she|they) obeys?|(?:she|they) obeys? me",
        r"my (?:handler|pimp|madam|trafficker)",
        r"i (?:manage|run|own|control|pimp|have|got) (?:a few |some |several |my |a couple of |\d+ |two |three )?girls?(?: for you| working| available| ready|$|,| who)|(?:my|the) girls are (?:ready|available|clean|fresh|waiting)|(?:have|got) a (?:new )?girl for (?:you|sale|rent)|girls? (?:working|who work) for me",
        unless=r"prisoner of (?:my|the|his|her) own|i (?:have|got) (?:two |three |\d+ )?girls,? (?:\d|aged|and|at|with)|trapped in (?:a meeting|traffic|the lift|an elevator|work)|controls? (?:everything|the) (?:remote|tv|music|thermostat)|no choice but|prisoner of (?:azkaban|war)",
    ),
    rule(
        "papers-and-money",
        rf"(?:{_CONTROLLER} )?(?:has|have|took|takes|keeps?|kept|holds?|holding|hid|stole|confiscated?) (?:my|her|our|their|the girls?'?) (?:passports?|papers|documents|id|ids|visa|phone away|wages|earnings)",
        r"(?:my|her|our) (?:passport|papers|documents|id) (?:was|were|is|are|got|has been|have been) (?:taken|kept|with him|with them|confiscated)",
        r"(?:takes?|took|keeps?|kept) (?:all |half |most |all of |everything )?(?:of )?(?:my|her|the|our) (?:money|earnings|cash|pay|tips)",
        r"(?:pay(?:ing)? off|work(?:ing)? off|owe|owes) (?:my|her|the|him|them|a) (?:debts?|smuggler|agency|travel|trip|a lot|money|thousands|\d+)(?: to)?(?: (?:him|them|smuggler|agency|boss))?",
        r"debt bondage|bonded labou?r",
        unless=r"(?:wife|husband|mum|mom|mother|dad|partner) (?:keeps?|has|holds?|kept) my (?:passport|papers|id)(?: in| safe| for)|(?:pay(?:ing)? off|owe) (?:my|the|a) (?:debts? )?(?:student|mortgage|car|house|loan|credit|taxes)|(?:hotel|embassy|bank|airline|office|reception|desk|consulate|border|police) (?:has|have|took|kept?|keeps?|still has|holds?) my (?:passport|id|papers)|(?:kids?|wife|taxes|rent|landlord|ex|children|bills|daughter|son|government) (?:takes?|took|keeps?) (?:all )?(?:of )?my money|i owe you|owe (?:him|them|her) (?:a|an) (?:favou?r|apology|drink|beer|call|coffee|dinner)|(?:has|have|took|keeps?|kept|got|my wife took) my phone away|i (?:have|took|keep|got|has) my (?:passport|papers|documents|id|visa)",
    ),
    rule(
        "traffick",
        r"(?:human |sex )?traff?ic?k(?:er|ers|ing|ed)",
        r"pimps?|pimping|pimped",
        r"sex slaves?|modern slave\w*|enslaved",
        unless=r"(?:awareness|documentary|movie|film|article|book|podcast)[^.!?]{0,20}|trafficking (?:awareness|day|documentary|movie|film|law)|(?:what is|about) human trafficking|pimp my ride|pimp(?:ed|ing)? out (?:my|his|her|the) (?:car|ride|truck|bike)",
    ),
    rule(
        "on-offer",
        r"(?:she|my girl|my girls|the girls?|her|they|this girl) (?:works?|working|is working|work) (?:for|under) (?:me|him|us|them)",
        r"(?:she|they|my girls?) (?:does|do|will do|must do|has to do|have to do|gotta do) (?:what(?:ever)?|everything|anything|as) (?:i|he|we|they|you) (?:say|says|tell|tells|want|wants)",
        r"(?:i|we|he) (?:have|has|got|can bring|can send|bring|send|offer|supply|provide|manage|own|run) (?:\w+\s+)?(?:\d+ |two |three |some |new |fresh |young |several |other |more )+(?:girls?|women|ladies|females)",
        r"(?:fresh|new|young) (?:girls?|women|ladies|meat) (?:available|every|in town|arriv\w+|this week|from)",
        r"girls (?:available|for you|for rent|for sale|on offer)",
        r"(?:buy|rent|sell|purchase) (?:a |the |my |her |your )?(?:girl|woman|wife|girls|women)",
        unless=r"i (?:have|got) (?:\d+|two|three) (?:girls|daughters|women|ladies)(?:,| and| at home| in| on| with)|works? (?:for|under) (?:me|us) (?:as|in|at|since|part|full|time|on|every)|(?:wife|husband|mum|mom|mother|dad|partner) (?:keeps?|has|holds?|kept) my passport|girls? scout\w*",
    ),
    rule(
        "other-languages",
        r"(?:el|ella|ellos|ellas|me estan?) (?:me )?oblig\w+|me obligan|me obliga(?! a (?:madrugar|trabajar hasta|quedarme|ir al))|me fuerzan?|me forz(?:o|aron)|no me dejan? (?:salir|ir|irme)|(?:tienen?|me quit(?:o|aron)) mi pasaporte|trata de personas|(?:me |nos )?(?:tienen?|estoy) (?:encerrad[ao]|retenid[ao])|contra mi voluntad|me quitaron (?:el|mi) pasaporte|proxeneta|"
        r"zwing(?:t|en) mich|(?:werde|wurde) gezwungen|(?:hat|haben) meinen (?:pass|ausweis)|(?:hat|haben) mir (?:den|meinen) (?:pass|ausweis)|sperrt mich (?:ein|weg)|eingesperrt|darf (?:hier )?nicht (?:weg|raus)|lass(?:t|en) mich nicht (?:gehen|weg|raus)|zuhalter|menschenhandel|"
        r"(?:il|elle|on|ils) m(?:e |' ?)(?:force|forcent|oblige|obligent)|(?:a|ont|pris) (?:pris )?mon passeport|(?:me|m') ?laisse(?:nt)? pas (?:sortir|partir)|ne (?:me|nous) laisse(?:nt)? pas|je suis (?:enferm|sequestr|retenu)\w*|proxenete|souteneur|traite des|"
        r"mi (?:costringe|costringono|obbliga|obbligano)|(?:ha|hanno) (?:preso )?il mio passaporto|mi hanno preso il passaporto|sono (?:rinchius|prigionier)[ao]|non mi (?:lascia|lasciano|fa|fanno) (?:uscire|andare)|sfruttat[ao]|"
        r"me (?:obriga|obrigam|forca|forcam)|(?:tem|pegou|pegaram|tiraram|levaram) (?:o )?meu passaporte|estou pres[ao] aqui|nao me deixam? sair|cafetao|"
        r"меня (?:заставляют|заставляет|держат|не выпускают)|(?:забрал|забрали|отобрали|отняли)(?: у меня)?(?: мой)? паспорт|не выпуска[ею]т|сутенер|zmuszaj?a? mnie|(?:zabrali|zabral) (?:mi )?paszport",
        r"强迫我|逼我|护照被|無理やり働|強制",
        whole_words=False,
    ),
)

GATE = rules_gate(
    "coercion", "Somebody else decides for them; a person must look.", version=2, inbound=_RULES, raises_alert=True
)
