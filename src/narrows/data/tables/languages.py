# ruff: noqa: RUF001  (signs that look like others)
"""Which letters languages use how often: how likely a text is, to tell an encoding by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

__all__ = ["ENCODINGS", "Language"]

_ASCII = math.log(1 / 50)  # per character: the same in every language
_FOLLOWS, _STARTS = math.log(0.8), math.log(0.2)  # a letter of a script after one of it, or after another character
_ODD = math.log(0.05)  # a word of two scripts, letters with accents side by side, a capital after a small letter
_FREQUENT, _OTHER, _SIGN, _REST = 0.7, 0.14, 0.15, 0.01  # shares of the list, of others of the script, of signs
_N_REST = 2_000
_SIGNS = "°€£§µ²³×“”‘’–—…®™±«»№ºª·"


@dataclass(frozen=True)
class Language:
    """A language, or several with one alphabet: frequent letters, and the ranges of the others.

    ``accents`` says that it is written in Latin letters, of which some have accents.
    """

    name: str
    frequent: str
    ranges: tuple[tuple[str, str], ...]
    accents: bool = False

    @cached_property
    def _letters(self) -> frozenset[str]:
        return frozenset(self.frequent)

    @cached_property
    def _n_others(self) -> int:
        return sum(ord(last) - ord(first) + 1 for first, last in self.ranges)

    def log_likelihood(self, text: str) -> float:
        """Return the logarithm of how likely a text is, letter by letter, and by what stands before each.

        Examples
        --------
        >>> KOREAN.log_likelihood("서울") > WESTERN.log_likelihood("¼­¿ï")
        True
        """
        total, before = 0.0, " "
        for letter in text:
            foreign, follows = not letter.isascii(), not before.isascii()
            total += math.log(self._share(letter)) if foreign else _ASCII
            if self.accents:
                total += _ODD if foreign and follows else 0.0
            else:
                total += (_FOLLOWS if follows else _STARTS) if foreign else 0.0
                total += _ODD if letter.isalpha() and before.isalpha() and foreign != follows else 0.0
            total += _ODD if letter.isupper() and before.islower() else 0.0
            before = letter
        return total

    def _share(self, letter: str) -> float:
        if letter in self._letters:
            return _FREQUENT / len(self._letters)
        if letter in _SIGNS:
            return _SIGN / len(_SIGNS)
        if any(first <= letter <= last for first, last in self.ranges):
            return _OTHER / self._n_others
        return _REST / _N_REST


WESTERN = Language("Western European", "éèàáäöüñçíóúßêâôãåøæëïîùÉÖÜÄ°", (("À", "ÿ"), ("Œ", "œ")), accents=True)
CENTRAL = Language("Central European", "áéíóúýčďěňřšťůžąćęłńśźżőűöüäŠČŽŁŚ–", (("À", "ž"),), accents=True)
TURKISH = Language("Turkish", "ıİşŞğĞüÜöÖçÇâ", (("À", "ÿ"),), accents=True)
BALTIC = Language("Baltic", "āčēģīķļņšūžąęėįųõäöü", (("À", "ž"),), accents=True)
RUSSIAN = Language("Cyrillic", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэіМСПКНВРА", (("Ѐ", "ґ"),))
GREEK = Language("Greek", "αοιετνσηυρπκμλωςόίάέήύώδγχθφβξΑΚΠΜΣΕΤΘΛ", (("Ά", "ώ"),))
HEBREW = Language("Hebrew", "יוהלאתרבמשנדקעחפסגטצזכ", (("֐", "״"),))
ARABIC = Language("Arabic", "اليمنترودبعهسقفكحةجأشخطصىزضإذئغءثظ", (("،", "ۿ"),))
THAI = Language("Thai", "านรอกเงมยลวดทสตะปบคหแจพชขใไโผซถ่้ีัิื์ุูำ็", (("ก", "๛"),))
KOREAN = Language(
    "Korean",
    "이다는의에가을지고하로기사한서를인은도자어시리대그해나과수정일만전부라들상아제관적원장보주공조스구소우경성"
    "유비생중여국것동방오위요안신세화연있면계문선진내실용간개교명물체았었등할예마무발당분모학미결되러재업거"
    "직바속본금양남북강울산광천충청호평포목양군읍합품날짜온습량별름번점값남녀회종년월차단저력복후추행론직트드프"
    "크레르출차감입반근치술건김박최임윤석형민현준영송노노심허백황홍길불심급높음낮매류식음료처코택"
    "초특표총통판타터태테토투티파페펜편폐필함항향험혁협환활획효"
    "각갑걸검격견겨관객큰더데돌될두둘든때또란람랑래량려련렬록루르른를립말먼명못반받배법변별봉빛새색열옥옷완외웅은읽잔잘",
    (("가", "힣"), ("ㄱ", "ㅣ")),
)
SIMPLIFIED = Language(
    "Chinese, simplified",
    "的一是不了人在有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好"
    "都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把"
    "法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教"
    "西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安"
    "表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服"
    "毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红"
    "治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取"
    "设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视"
    "济喜离虽坏兴温湿值省县州津重庆深圳杭苏沈汉阳宁型号类价格日期姓名性别编级低男岁码销售额率客户户收",
    (("一", "龥"),),
)
TRADITIONAL = Language(
    "Chinese, traditional",
    "的一是不了人在有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可裡後小麼心多天而能好"
    "都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把"
    "法此實回二理美點月明其種聲全工己話兒者向情部正名定女問力機給等幾很業最間新什打便位因重被走電四第門相次東政海口使教"
    "西再平真聽世氣信北少關並內加化由卻代軍產入先山五太水萬市眼體別處總才場師書比住員九笑性通目華報立馬命張活難神數件安"
    "表原車白應路期叫死常提感金何更反合放做系計或司利受光王果親界及今京務制解各任至清物台臺象記邊共風戰接許八特覺望直服"
    "林題建南度統色字請交愛讓認算論百吃義科怎元社術結六功指思非流每青管夫連遠資隊跟帶花快條院變聯言權往展該領傳近留紅"
    "治決周保達辦運武半候七必城父強步完革深區即求品士轉量空眾技輕程告江語英基派滿式李息寫識極令黃德收臉錢黨倒未持取"
    "設始版雙歷越史商千片容研像找友孩站廣改議形委早房音火際則首單據導影失拿網香專石若兵誰校讀志飛觀爭究包組造落視"
    "濟喜離雖壞興溫濕值省縣州高雄新竹桃園隆型號類價格日期姓名性別編級低男歲碼銷售額率客戶戶收",
    (("一", "龥"),),
)
JAPANESE = Language(
    "Japanese",
    "のにをはがでとてしたるいなれらさかもりこっうんあすまくきよおどせけつえみちわだめじそごろばやほげぐびぜずひむねぎぞふべ"
    "ンスルトーリクラアイドシタレジコフロプテッマグバサメムカニパオウキディュェョャセエナゼビハモミツヤチワヒノ・"
    "日一国人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電"
    "校語土木聞食車何南万毎白天母火右読友左休父雨会事自社者地業方新場員立開手力問代明動京目通言理体田主題意不作用度強公"
    "持野以思家世多正安院心界教文元重近考画海売知集別物使品計死特私始朝運終台広住真有口少町料工建空急止送切転研足究"
    "市区県都道府州阪札幌神戸福岡名古屋横浜仙台千葉埼玉愛静奈良温湿気圧量数値価格商店番号種類性部分合計単位平均最低定期"
    "率額産当選対全現表内的発化要関相信回経約所連実決同民戦成取記調制総理党政治機予算島村郡町丁目",
    (("ぁ", "ヿ"), ("一", "龥"), ("･", "ﾟ")),
)

ENCODINGS: tuple[tuple[str, Language, float], ...] = (
    ("cp1252", WESTERN, 0.2),
    ("cp949", KOREAN, 0.1),
    ("gb18030", SIMPLIFIED, 0.1),
    ("cp950", TRADITIONAL, 0.1),
    ("cp932", JAPANESE, 0.1),
    ("cp1251", RUSSIAN, 0.1),
    ("cp1250", CENTRAL, 0.06),
    ("cp1253", GREEK, 0.03),
    ("cp1254", TURKISH, 0.03),
    ("cp1255", HEBREW, 0.02),
    ("cp1256", ARABIC, 0.02),
    ("cp874", THAI, 0.02),
    ("euc_jp", JAPANESE, 0.02),
    ("koi8_r", RUSSIAN, 0.01),
    ("cp866", RUSSIAN, 0.01),
    ("iso8859_2", CENTRAL, 0.01),
    ("mac_roman", WESTERN, 0.02),
    ("cp850", WESTERN, 0.002),
    ("cp1257", BALTIC, 0.005),
    ("iso8859_5", RUSSIAN, 0.001),
)
"""Encodings of text that is not UTF-8, the language that is written in each, and how often it is met beforehand."""
