#include "check.h"

int main(void)
{
	int all = test_json() + test_number() + test_text() + test_request();
	printf("%d failed\n", all);
	return all != 0;
}
