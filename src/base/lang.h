#ifndef BASE_LANG_H
#define BASE_LANG_H

/*
 * Both languages stand beside each other at the place of use: TR("not found", "未找到").
 * Translation is compiled in, because a CI image has no zh_CN locale to ask.
 */
enum lang { LANG_EN, LANG_ZH };

extern enum lang lang_now; /* set once by main, before anything is said */

#define TR(en, zh) (lang_now == LANG_ZH ? (zh) : (en))

struct tx { /* a text in a table row */
	const char *en, *zh;
};
const char *tx(struct tx t);

/* The language by --lang (may be NULL), TOCSIN_LANG, LC_ALL, LC_MESSAGES, LANG: the first that says one. */
enum lang lang_pick(const char *flag);
#endif
