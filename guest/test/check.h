/* Checks of the tests that run natively, under sanitizers. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the file's own. */
__attribute__((unused)) static int failures;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

#define CHECK_TEXT(b, want) \
	do { \
		if ((b).length != strlen(want) || ((b).length && memcmp((b).data, want, (b).length) != 0)) { \
			fprintf(stderr, "%s:%d: \"%.*s\", want \"%s\"\n", __FILE__, __LINE__, (int)(b).length, (b).data, want); \
			failures++; \
		} \
	} while (0)

int test_json(void);
int test_number(void);
int test_text(void);
int test_request(void);

#endif
