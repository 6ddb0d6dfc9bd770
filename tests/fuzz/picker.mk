# steps of the picker, made in its plain model too
FUZZ += picker
FUZZ_SRCS_picker := tests/ref/picker_model.c
