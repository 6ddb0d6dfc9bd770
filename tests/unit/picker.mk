# the picker against its plain model
UNIT += picker
UNIT_SRCS_picker := tests/ref/picker_model.c
