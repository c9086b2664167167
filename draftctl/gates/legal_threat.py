"""The sender speaks of courts, lawyers or the police against us. A person answers, if anybody does."""

from draftctl.gates.base import rule, rules_gate

_RULES = (
    rule(
        "court",
        r"(?:sue|suing|sued) (?:you|u|ya|your|ur)(?! (?:chef|z))",
        r"(?:see|take|taking|drag|dragging) (?:you|u|ya|this|ur) (?:in|to|into) (?:small claims|court)|small claims(?: court)?|lawsuit|law suit",
        r"(?:take|taking|consider\w*|start|begin|pursue|pursuing|threaten\w*|bring) (?:any |further |immediate )?(?:legal|civil|court) (?:action|proceedings|steps|measures)|legal action",
        r"(?:press|pressing|file|filing|lay) (?:criminal )?charges|cease (?:and|&|n) desist|restraining order|subpoena|hold you liable|liable for damages",
        unless=r"lawsuit (?:movie|film|night|show|series)|(?:win|won|lost|settled|about a|my|the|his|her) (?:\w+\s+)?lawsuit (?:at work|against (?:my|the)|is over|finally)|(?:work|busy|preparing) (?:on )?(?:a|the|my) lawsuit",
    ),
    rule(
        "sue-and-arrest",
        r"(?:we|i|they) (?:will|'?ll|shall|might|can) (?:sue|su3)(?! (?:the|my|a|his|her) (?:bakery|landlord|company|airline|hotel|bank|builder|neighbou?r))|called the (?:police|cops) on (?:you|u)|(?:have|get|getting|having) (?:you|u) (?:arrested|locked up|deported)|(?:expect|await|wait for) (?:a |my )?(?:letter|call|email)? ?(?:from )?my (?:lawyers?|attorneys?|solicitors?)",
    ),
    rule(
        "lawyer",
        r"(?:what|as|like) (?:my|our) (?:lawyers?|attorneys?|solicitors?) (?:says?|said|thinks?|will say|would say|has to say)",
        r"(?:my|our|a|the) (?:lawyers?|attorneys?|solicitors?|legal team|law firm|barrister) (?:will|'?ll|is going|are going|is gonna|wants?|has been|have been|is|are|says?|said|advis\w+|and i will) (?:be )?(?:contact\w*|in touch|hear\w*|call\w*|sue|send\w*|writ\w*|informed|notified|review\w*|handl\w*|you|speak\w*|take|tak\w+|on (?:it|this)|come|go)",
        r"hear(?:ing)? from (?:my|our|a|the) (?:lawyers?|attorneys?|solicitors?|legal team)",
        r"(?:call|calling|called|contact\w*|get(?:ting)?|speak\w*|talk\w*|hire|hiring|spoke|talked)(?: to| with)? (?:my|a|our|an) (?:lawyer|attorney|solicitor)(?: about (?:you|this)| on you| now)?",
        unless=r"(?:call|contact|get|speak|talk|meeting|hire)\w*(?: to| with)? (?:my|a|our|an) (?:lawyer|attorney|solicitor) (?:about (?:my|the|our|a) |tomorrow|at|friend|for (?:my|the|a) )|divorce (?:lawyer|attorney)",
    ),
    rule(
        "authorities",
        r"(?:call|calling|contact\w*|phone|notify\w*|inform\w*|alert\w*|get|getting|send\w*|go(?:ing)? to)(?: to)? (?:the |local )?(?:cops|police|feds|fbi|vice|sheriff|authorities|immigration|ice|irs|tax office|law enforcement)(?: on (?:you|u|ya)| about (?:you|this)| if| unless| now| right now| and| involved)?",
        r"(?:report|reporting|reported|turn(?:ing)?) (?:you|u|ya|this|your|ur|it) (?:in )?(?:to|with) (?:the )?(?:cops|police|feds|fbi|vice|sheriff|authorities|immigration|ice|irs|tax\w*|law|platform|city|landlord|bbb)",
        r"(?:file|filing|filed|make|making) (?:a |an )?(?:police |formal |official )?(?:report|complaint) (?:against|about|on|with) (?:you|u|the police|the cops|your)|police report",
        r"(?:you'?re|you are|ur|this is|what you do is|it'?s) (?:breaking the law|illegal and|going to jail|committing (?:a )?(?:fraud|crime))|get you (?:arrested|locked up|deported|shut down)",
        unless=r"(?:call|get|contact)\w* (?:the )?(?:ice|police) (?:cream|officer friend|academy|cube\w*|for (?:the|my) (?:drink|noise|neighbou?r))|get ice|police report (?:for|about) (?:my|the) (?:car|bike|accident|insurance)|going to ice|get (?:the |some )?ice|call the police (?:on|about) (?:my|the) (?:neighbou?r|noise|ex)",
    ),
    rule(
        "other-languages",
        r"(?:te|la|os|voy a) (?:voy a )?(?:demandar(?:te|la)?|denunciar(?:te|la)?)|te denuncio|mi abogad[oa]|(?:llamar|llamo|llamare) a la policia|acciones legales|nos vemos en (?:los tribunales|la corte)|"
        r"(?:ich )?(?:zeige|werde) (?:dich|sie) (?:an|anzeigen|verklagen)|mein(?:e|em|en)? (?:anwalt|anwaltin)|(?:rufe|hole) (?:ich )?die polizei|anzeige erstatten|erstatte (?:ich )?anzeige|sehen uns vor gericht|rechtliche schritte|"
        r"porter plainte|porte plainte|mon avocat[e]?|(?:appeler|appelle|previens) la police|poursuivre en justice|au tribunal|action en justice|"
        r"ti (?:denuncio|querelo|faccio causa)|il mio avvocato|(?:chiamo|chiamero|chiamare) (?:la polizia|i carabinieri)|vie legali|in tribunale|"
        r"vou (?:te )?(?:processar|denunciar)|te processar|meu advogado|minha advogada|chamar a policia|(?:подам|подаю) (?:на тебя )?в суд|мой адвокат|мой юрист|заявление в полицию|(?:вызову|позвоню в) полици\w+|mojego prawnika|moj prawnik|zglosze (?:to )?na policje|spotkamy sie w sadzie",
        r"报警|起诉|律师函|訴える|警察に",
        whole_words=False,
    ),
)

GATE = rules_gate(
    "legal_threat", "A person takes advice before anything is answered.", version=2, inbound=_RULES, raises_alert=True
)
