"""Domains at which anybody can have an e-mail address: they tell nothing about where somebody works."""

_DOMAINS = """
126.com 139.com 163.com 189.cn aim.com alice.it aliceadsl.fr aol.com aon.at arcor.de att.net bbox.fr bell.net
bellsouth.net bigpond.com bk.ru bluewin.ch blueyonder.co.uk bol.com.br btinternet.com centrum.cz charter.net
comcast.net cox.net daum.net earthlink.net email.cz email.de fastmail.com fastmail.fm foxmail.com free.fr freemail.hu
freenet.de frontier.com gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hanmail.net hey.com hotmail.be
hotmail.ca hotmail.co.uk hotmail.com hotmail.com.br hotmail.de hotmail.es hotmail.fr hotmail.it hotmail.nl
hushmail.com icloud.com ig.com.br inbox.lv inbox.ru interia.pl juno.com kpnmail.nl laposte.net libero.it list.ru
live.ca live.co.uk live.com live.com.au live.de live.fr live.it live.nl lycos.com mac.com mail.com mail.de mail.ru
me.com msn.com naver.com neuf.fr ntlworld.com o2.pl onet.pl online.de optonline.net optusnet.com.au orange.fr
outlook.at outlook.com outlook.de outlook.es outlook.fr outlook.it outlook.jp planet.nl pm.me posteo.de proton.me
protonmail.ch protonmail.com qq.com rambler.ru rediffmail.com rocketmail.com rogers.com sapo.pt sbcglobal.net
seznam.cz sfr.fr shaw.ca sina.com sky.com skynet.be sohu.com sympatico.ca t-online.de talktalk.net telenet.be
telus.net terra.com.br tin.it tiscali.it tuta.com tutanota.com tutanota.de uol.com.br verizon.net virgilio.it
virginmedia.com wanadoo.fr web.de windowslive.com wp.pl xs4all.nl xtra.co.nz ya.ru yahoo.ca yahoo.co.id yahoo.co.in
yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.mx yahoo.com.sg yahoo.de yahoo.es
yahoo.fr yahoo.in yahoo.it yandex.com yandex.ru yeah.net ymail.com ziggo.nl zoho.com zonnet.nl
"""
FREE_MAIL = frozenset(_DOMAINS.split())
